"""agent snmp against recordings of real devices, served by snmpsim, and against what LibreNMS reads from the same."""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

import harness

RECORDINGS = harness.SHARED_DATA / "snmprec"
OPER = {1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "notPresent", 7: "lowerLayerDown"}
# Manufacturer and model as printed on the device, or as its agent says; None = it does not say.
DEVICES = {
    "apc_smt750x-nmc2": ("APC", "Smart-UPS X 750"),
    "arubaos-cx_10.10": ("Aruba", "JL679A"),
    "dsm": ("Synology", "RS2212RP+"),
    "edgeos": ("Ubiquiti", "EdgeRouter Pro 8-Port"),
    "fortigate_500d": ("Fortinet", "FGT_500D"),
    "ios_2960x": ("Cisco", "WS-C2960X-48FPS-L"),
    "ios_c3560": ("Cisco", "WS-C3560-48TS-S"),
    "ios_stp-vlans": ("Cisco", "C2960S"),
    "ios_stp-vlans@98": (None, None),  # a context of the one before: bridge tables alone
    "jetdirect_m130nw": ("HP", "LaserJet MFP M130nw"),
    "junos_vmx": ("Juniper", "Juniper VMX Internet Backbone Router"),
    "linux_opensips": (None, "x86_64"),
    "linux_powermon": (None, "x86_64"),
    "linux_ucd-diskio": ("Dell Inc.", "PowerEdge R250"),
    "pfsense": ("pfSense", "amd64"),
    "procurve_2520": ("HP", "Stack"),
    "routeros_rb750gr3": ("MikroTik", "RB750Gr3"),
    "unifi_nanohd": ("Ubiquiti", "UAP-nanoHD"),
    "vmware-esxi": ("HP", "ProLiant DL380p Gen8"),
    "windows_svr_2019_1809": ("Microsoft", "Intel64 Family 6 Model 63 Stepping 2"),
}


class Devices(harness.AmoskysTest):
    def start_simulator(self, *more):
        """snmpsim with all recordings; community and context = name of the recording."""
        program = shutil.which("snmpsimd") or shutil.which("snmpsim-command-responder")
        if program is None or not (RECORDINGS / "served").is_dir():
            self.skipTest("snmpsim or the recordings of devices are not here")
        data = self.folder / "served"
        shutil.copytree(RECORDINGS / "served", data)
        cache = self.folder / "cache"
        cache.mkdir()
        user = []
        if os.geteuid() == 0:
            user = ["--process-user=nobody", "--process-group=nogroup"]
            os.chmod(self.folder, 0o755)
            for path in (data, cache, *data.iterdir()):
                os.chmod(path, 0o777)
        port = harness.free_udp_port()
        log = open(self.folder / "snmpsim.log", "wb")
        process = subprocess.Popen(
            [program, *user, f"--cache-dir={cache}", f"--data-dir={data}", f"--agent-udpv4-endpoint=127.0.0.1:{port}",
             "--v3-user=simuser", "--v3-auth-key=authpass123", "--v3-auth-proto=SHA256", "--v3-priv-key=privpass123",
             "--v3-priv-proto=AES", "--logging-method=null", *more],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.processes.append(process)

        def answers():
            self.assertIsNone(process.poll(), (self.folder / "snmpsim.log").read_text())
            done = subprocess.run(["snmpget", "-v2c", "-c", "dsm", "-t", "1", "-r", "0", "-On", f"127.0.0.1:{port}",
                                   "1.3.6.1.2.1.1.2.0"], capture_output=True)
            return done.returncode == 0
        harness.wait_until(answers, "the simulator answers", 120)
        return f"udp:127.0.0.1:{port}"

    def collect(self, targets, *args):
        """(device, metric, index) -> event, and device -> status event, of one cycle."""
        file = self.folder / "targets.json"
        file.write_text(json.dumps({"targets": targets}))
        metrics, status = {}, {}
        for line in self.ok("agent", "snmp", "--targets-file", file, "--once", "--stdout", "-o", "ndjson", "--timeout", "10s",
                            "--max-in-flight", "2", *args, timeout_s=400).splitlines():
            event = json.loads(line)
            if event["kind"] == "metric":
                metrics[(event["device"], event["metric"], event.get("index", ""))] = event
            elif event["kind"] == "status":
                status[event["device"]] = event
        return metrics, status

    def test_interfaces_are_what_librenms_reads_and_devices_are_named_rightly(self):
        address = self.start_simulator()
        targets = [{"target": f"{name}={address}", "community": name, "profile": "network_focus"} for name in DEVICES]
        metrics, status = self.collect(targets)
        self.check_interfaces(metrics)
        self.check_names(status)
        self.assertEqual(set(status), set(DEVICES))

    def check_interfaces(self, metrics):
        equal, different, absent = 0, [], 0
        for path in sorted((RECORDINGS / "expected").glob("*.json")):
            device = path.stem
            ports = json.loads(path.read_text()).get("ports", {})
            rows = (ports["poller"] if isinstance(ports.get("poller"), dict) else ports.get("discovery") or {}).get("ports", [])

            def value(metric, index):
                event = metrics.get((device, metric, index))
                return None if event is None else int(event["value"])
            for row in rows:
                if row.get("deleted"):
                    continue
                index = str(row["ifIndex"])
                got = {"ifOperStatus": OPER.get(value("ifOperStatus", index)),
                       "ifInErrors": value("ifInErrors", index), "ifOutErrors": value("ifOutErrors", index)}
                for metric, wide in (("ifInOctets", "ifHCInOctets"), ("ifOutOctets", "ifHCOutOctets"),
                                     ("ifInUcastPkts", "ifHCInUcastPkts")):
                    high, low = value(wide, index), value(metric, index)
                    got[metric] = high or (low if low is not None else high)
                fast = value("ifHighSpeed", index)
                got["ifSpeed"] = fast * 1_000_000 if fast else value("ifSpeed", index)
                for metric, number in got.items():
                    if row.get(metric) is None:
                        continue
                    if number is None:
                        absent += 1
                    elif number == row[metric]:
                        equal += 1
                    else:
                        different.append((device, index, metric, row[metric], number))
        self.assertEqual(different, [])
        # 2,892 values are in both; 366 more the device never answered, and LibreNMS writes 0 there.
        self.assertEqual((equal, absent), (2892, 366))

    def check_names(self, status):
        right = []
        for device, (manufacturer, model) in DEVICES.items():
            said = status[device].get("attributes", {})
            if (said.get("manufacturer"), said.get("model")) == (manufacturer, model):
                right.append(device)
            else:
                print(f"{device}: {said}, wanted {manufacturer}, {model}")
        self.assertGreaterEqual(len(right), 17, right)

    def test_the_profile_of_the_vendor_is_added(self):
        address = self.start_simulator()
        wanted = {"ios_2960x": "cpmCPUTotal5minRev", "junos_vmx": "jnxOperatingDescr", "fortigate_500d": "fgSysMemUsage",
                  "routeros_rb750gr3": "mtxrHlVoltage", "apc_smt750x-nmc2": "upsAdvBatteryCapacity",
                  "jetdirect_m130nw": "prtMarkerLifeCount", "procurve_2520": "hpSwitchCpuStat"}
        targets = [{"target": f"{name}={address}", "community": name, "profile": "minimal"} for name in wanted]
        metrics, _ = self.collect(targets)
        names = {device: {m for d, m, _ in metrics if d == device} for device in wanted}
        found = {device for device, metric in wanted.items() if metric in names[device] or
                 any(m.startswith(metric[:4]) and not m.startswith("sys") for m in names[device])}
        self.assertEqual(found, set(wanted), {d: sorted(names[d]) for d in set(wanted) - found})

    def test_contexts_of_version_3_are_devices_of_their_own(self):
        address = self.start_simulator()
        common = {"version": "3", "user": "simuser", "auth_protocol": "sha256", "auth_password": "authpass123",
                  "priv_protocol": "aes", "priv_password": "privpass123", "profile": "minimal"}
        targets = [dict(common, target=f"{name}={address}", context=name) for name in ("dsm", "pfsense")]
        metrics, _ = self.collect(targets)
        self.assertTrue(metrics[("pfsense", "sysDescr", "")]["value"].startswith("pfSense"))
        self.assertTrue(metrics[("dsm", "sysDescr", "")]["value"].startswith("Linux"))


if __name__ == "__main__":
    unittest.main()
