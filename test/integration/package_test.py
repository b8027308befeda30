"""packaging/deb and packaging/tarball: what they make of the executable, installed into empty folders and used."""
import functools
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import unittest

import harness

BUILD = harness.SOURCE / "packaging" / "deb" / "build"
FIRST_METRIC_S = 60


@functools.cache
def packages():
    """Built once: (folder, files). Removed at the end of the process."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="amoskys-packages-"))
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder, build_into(folder / "first")


def build_into(folder):
    environment = harness.clean_environment() | {"SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run([BUILD, "--binary", harness.AMOSKYS, "--out", folder], capture_output=True, text=True, env=environment,
                          timeout=10 * harness.PATIENCE_S)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    return {file.name: file for file in folder.iterdir()}


def one(files, pattern):
    [found] = [file for name, file in files.items() if re.fullmatch(pattern, name)]
    return found


@harness.needs("dpkg-deb", "strip", "readelf")
class PackageTest(harness.AmoskysTest):
    def setUp(self):
        super().setUp()
        self.packages, self.files = packages()
        self.deb = one(self.files, r"amoskys_.*\.deb")
        self.tarball = one(self.files, r"amoskys-.*\.tar\.gz")

    def test_two_builds_are_the_same_bit_for_bit(self):
        again = build_into(self.folder / "again")
        self.assertEqual(sorted(again), sorted(self.files))
        for name, file in self.files.items():
            self.assertEqual(hashlib.sha256(file.read_bytes()).hexdigest(), hashlib.sha256(again[name].read_bytes()).hexdigest(), name)
        print(f"{len(again)} files, two builds, the same bytes; {self.deb.name} has {self.deb.stat().st_size} bytes")

    def test_the_sums_are_those_of_the_files(self):
        folder = self.files["SHA256SUMS"].parent
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        self.assertEqual(len(self.files["SHA256SUMS"].read_text().splitlines()), len(self.files) - 1)

    @harness.needs("lintian")
    def test_lintian_has_nothing_to_say_but_what_is_overridden(self):
        done = subprocess.run(["lintian", "--allow-root", "--show-overrides", self.deb], capture_output=True, text=True,
                              timeout=10 * harness.PATIENCE_S)
        said = [line for line in done.stdout.splitlines() if line and not line.startswith(("O:", "N:"))]
        self.assertEqual(said, [], done.stderr)
        overridden = {line.split()[2] for line in done.stdout.splitlines() if line.startswith("O:")}
        stated = set(re.findall(r"^amoskys: (\S+)", (BUILD.parent / "lintian-overrides").read_text(), re.MULTILINE))
        self.assertEqual(overridden, stated)  # each override is one that is needed
        print(f"lintian: {len(overridden)} overrides")

    def test_the_bill_of_materials_has_every_library_of_version(self):
        bill = json.loads(one(self.files, r".*\.cdx\.json").read_text())
        told = self.ok_json("version")
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        self.assertEqual([(each["name"], each["version"]) for each in bill["components"]],
                         [(each["name"], each["version"]) for each in told["libraries"]])
        references = {each["bom-ref"] for each in bill["components"]}
        self.assertEqual(set(bill["dependencies"][0]["dependsOn"]), references)

    def install(self, root):
        """dpkg into a folder: its scripts run here, on that folder."""
        (root / "var/lib/dpkg/info").mkdir(parents=True)
        (root / "var/lib/dpkg/updates").mkdir()
        (root / "var/lib/dpkg/status").touch()
        (root / "etc").mkdir()
        for name in ("passwd", "group"):
            (root / "etc" / name).touch()
        done = subprocess.run(["dpkg", f"--root={root}", "--force-script-chrootless", "--force-depends", "--force-not-root",
                               f"--log={self.folder}/dpkg.log", "-i", self.deb],
                              capture_output=True, text=True, timeout=harness.PATIENCE_S, env=os.environ | {
                                  "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "DEBIAN_FRONTEND": "noninteractive"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def exec_start(self, root, unit):
        text = (root / "lib/systemd/system" / f"{unit}.service").read_text()
        line = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1]
        return line.replace("/usr/bin", f"{root}/usr/bin").replace("/var/lib/amoskys", f"{root}/var/lib/amoskys").split()

    @harness.needs("dpkg", "systemd-sysusers")
    @unittest.skipUnless(os.geteuid() == 0, "only root can install a package")
    def test_from_the_package_to_the_first_stored_metric(self):
        root = self.folder / "root"
        root.mkdir()
        self.folder.chmod(0o755)
        begin = time.monotonic()
        self.install(root)
        user = [line.split(":") for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("amoskys:")]
        self.assertEqual(len(user), 1)
        uid, gid = int(user[0][2]), int(user[0][3])
        state = root / "var/lib/amoskys"
        state.mkdir(mode=0o700)  # what StateDirectory= does
        os.chown(state, uid, gid)
        port, http = harness.free_tcp_port(), harness.free_tcp_port()
        environment = harness.clean_environment() | {"AMOSKYS_BUS__LISTEN": f"127.0.0.1:{port}",
                                                     "AMOSKYS_BUS__HTTP__LISTEN": f"127.0.0.1:{http}",
                                                     "AMOSKYS_AGENT__BUS": f"127.0.0.1:{port}"}
        as_user = {"user": uid, "group": gid, "extra_groups": [], "env": environment, "stdin": subprocess.DEVNULL, "cwd": "/"}
        subprocess.run(self.exec_start(root, "amoskys-keys"), check=True, timeout=harness.PATIENCE_S, **as_user)
        for unit in ("amoskys-bus", "amoskys-agent-proc"):
            log = open(self.folder / f"{unit}.log", "wb")
            self.processes.append(subprocess.Popen(self.exec_start(root, unit), stdout=log, stderr=log, **as_user))
            log.close()

        # As root, like an administrator: the state directory belongs to another user.
        def first_metric():
            done = subprocess.run([root / "usr/bin/amoskys", "--state-dir", state, "inspect", "events", "--kind", "metric",
                                   "--limit", "1", "-o", "ndjson"], capture_output=True, text=True, env=environment,
                                  timeout=harness.PATIENCE_S)
            return done.stdout.strip()
        try:
            metric = json.loads(harness.wait_until(first_metric, "a metric is stored", FIRST_METRIC_S))
        except AssertionError as error:
            logs = "".join(file.read_text() for file in self.folder.glob("*.log"))
            raise AssertionError(f"{error}\n{logs}") from None
        took = time.monotonic() - begin
        self.assertIn("metric", metric)
        print(f"from dpkg -i to the first stored metric: {took:.1f} s, 3 commands (install, enable --now, inspect)")
        self.assertLess(took, FIRST_METRIC_S)
        # What root makes there by hand is the service's to read.
        subprocess.run([root / "usr/bin/amoskys", "--state-dir", state, "--quiet", "pki", "issue", "agent", "box"], check=True,
                       stdout=subprocess.DEVNULL, env=environment)
        for file in [state / "pki/trust.yaml", *(state / "pki/agents").glob("box.*")]:
            self.assertEqual(file.stat().st_uid, uid, file)
        for process in list(self.processes):
            self.assertEqual(self.stop(process), 0)
        for name in ("usr/share/man/man1/amoskys-bus.1.gz", "usr/share/bash-completion/completions/amoskys",
                     "usr/share/doc/amoskys/runbooks/README.md", "usr/share/doc/amoskys/SECURITY.md", "etc/amoskys/amoskys.yaml"):
            self.assertTrue((root / name).is_file(), name)
        self.assertIn(".SH NAME", gzip.open(root / "usr/share/man/man1/amoskys-bus.1.gz", "rt").read())

    def test_the_shipped_settings_are_valid_and_few(self):
        file = BUILD.parent / "amoskys.yaml"
        self.ok("config", "validate", file)
        rows = self.ok_ndjson("--config", file, "config", "show")
        self.assertEqual([row["key"] for row in rows], ["bus.retention.max_age"])
        # With what is commented out switched on.
        text = re.sub(r"^( *)# ((?: *)[a-z_]+:.*)$", r"\1\2", file.read_text(), flags=re.MULTILINE)
        community = self.folder / "community"
        community.write_text("public\n")
        whole = self.folder / "whole.yaml"
        whole.write_text(text.replace("/etc/amoskys/community", str(community)))
        self.assertGreater(len(self.ok_ndjson("--config", whole, "config", "show")), 4)

    def unpacked(self):
        with tarfile.open(self.tarball) as archive:
            archive.extractall(self.folder)
        [tree] = self.folder.glob("amoskys-*-linux-*")
        return tree

    def install_script(self, tree, *words, shell=("busybox", "sh")):
        return subprocess.run([*shell, tree / "install.sh", *words], capture_output=True, text=True, timeout=harness.PATIENCE_S,
                              env={"PATH": os.environ["PATH"]})

    @harness.needs("busybox")
    def test_busybox_installs_the_tarball_twice_and_takes_it_away(self):
        tree = self.unpacked()
        root = self.folder / "image"
        # busybox alone: every tool that the script calls is its own.
        tools = self.folder / "busybox-tools"
        tools.mkdir()
        subprocess.run(["busybox", "--install", "-s", tools], check=True)
        (root / "etc/systemd").mkdir(parents=True)
        for _ in range(2):
            done = subprocess.run([tools / "sh", tree / "install.sh", "--root", root, "--prefix", "/opt/amoskys"],
                                  capture_output=True, text=True, env={"PATH": str(tools)}, timeout=harness.PATIENCE_S)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        installed = root / "opt/amoskys/bin/amoskys"
        said = subprocess.run([installed, "version"], capture_output=True, text=True, check=True).stdout
        self.assertIn(self.ok("version").splitlines()[0], said)
        unit = (root / "etc/systemd/system/amoskys-bus.service").read_text()
        self.assertIn("ExecStart=/opt/amoskys/bin/amoskys ", unit)
        (root / "etc/amoskys/amoskys.yaml").write_text("# mine\n")
        self.assertEqual(self.install_script(tree, "--root", str(root), "--prefix", "/opt/amoskys").returncode, 0)
        self.assertEqual((root / "etc/amoskys/amoskys.yaml").read_text(), "# mine\n")
        self.assertEqual(self.install_script(tree, "--root", str(root), "--prefix", "/opt/amoskys", "--uninstall").returncode, 0)
        left = sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())
        self.assertEqual(left, ["etc/amoskys/amoskys.yaml"])

    def test_a_changed_tarball_is_not_installed(self):
        tree = self.unpacked()
        with open(tree / "etc/amoskys.yaml", "a") as file:
            file.write("# changed\n")
        root = self.folder / "image"
        done = self.install_script(tree, "--root", str(root), shell=("sh",))
        self.assertEqual(done.returncode, 65)
        self.assertIn("not as it was packed", done.stderr)
        self.assertFalse(root.exists())
        for words in (["--nonsense"], ["--prefix"], ["--root", "relative"]):
            self.assertEqual(self.install_script(tree, *words, shell=("sh",)).returncode, 64)

    def test_the_build_script_refuses_what_is_no_executable(self):
        for words, code in ((["--binary", "/nonexistent"], 66), (["--nonsense"], 64)):
            done = subprocess.run([BUILD, *words], capture_output=True, text=True, timeout=harness.PATIENCE_S)
            self.assertEqual(done.returncode, code, done.stderr)


if __name__ == "__main__":
    unittest.main()
