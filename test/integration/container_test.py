"""packaging/container and packaging/kustomize: the image is built and run; what is only described is read closely."""
import json
import os
import re
import shutil
import subprocess
import tarfile
import unittest

import harness
import yaml

CONTAINER = harness.SOURCE / "packaging" / "container"
BASE = harness.SOURCE / "packaging" / "kustomize" / "base"


def documents(file):
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


class CommandsMixin:
    def understood(self, words):
        """A command of a container: its words are a command of ours, and each option is one that the command has."""
        words = [str(word) for word in words]
        plain = []
        rest = list(words)
        while rest and (rest[0].startswith("-") or len(plain) < 2):
            word = rest.pop(0)
            if word.startswith("-"):
                if not word.startswith("--quiet"):
                    rest.pop(0)
            else:
                plain.append(word)
        known = None
        for length in (2, 1):  # "agent proc", "bus"
            code, out, _ = self.run_cli(*plain[:length], "--help")
            if code == 0:
                known = out
                break
        self.assertIsNotNone(known, words)
        for word in words:
            if word.startswith("--"):
                self.assertIn(word, known, words)


class ImageTest(harness.AmoskysTest):
    @unittest.skipIf(shutil.which("buildah") is None, "buildah is not installed")
    @unittest.skipUnless(os.geteuid() == 0, "only root may enter another root")
    def test_the_image_is_one_file_and_runs(self):
        storage = self.folder / "storage.conf"
        storage.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n')
        archive = self.folder / "image.tar"
        done = subprocess.run([CONTAINER / "build", "--binary", harness.AMOSKYS, "--archive", archive], capture_output=True,
                              text=True, timeout=5 * harness.PATIENCE_S,
                              env=os.environ | {"CONTAINERS_STORAGE_CONF": str(storage), "SOURCE_DATE_EPOCH": "1700000000"})
        if done.returncode != 0 and re.search("operation not permitted|permission denied|unshare|mount", done.stderr, re.IGNORECASE):
            self.skipTest(f"buildah may not build here: {done.stderr.strip().splitlines()[-1]}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with tarfile.open(archive) as image:
            def blob(digest):
                return image.extractfile("blobs/" + digest.replace(":", "/"))
            index = json.load(image.extractfile("index.json"))
            manifest = json.load(blob(index["manifests"][0]["digest"]))
            config = json.load(blob(manifest["config"]["digest"]))["config"]
            root = self.folder / "root"
            root.mkdir()
            for layer in manifest["layers"]:
                with tarfile.open(fileobj=blob(layer["digest"])) as files:
                    files.extractall(root)
        self.assertEqual(sorted(str(file.relative_to(root)) for file in root.rglob("*")), ["amoskys", "state"])
        self.assertEqual((root / "state").stat().st_uid, 1000)
        self.assertEqual(config["User"], "1000:1000")
        self.assertEqual(config["Entrypoint"], ["/amoskys"])
        self.assertEqual(set(config["ExposedPorts"]), {"50051/tcp", "9000/tcp"})
        self.run_in(root, dict(each.split("=", 1) for each in config["Env"]))
        print(f"image: {archive.stat().st_size} bytes, 1 executable and 1 folder")

    def run_in(self, root, environment):
        """As the image's user, in its root alone: no /proc, no /etc, no shell."""
        self.folder.chmod(0o755)

        def enter():
            os.chroot(root)
            os.chdir("/")
            os.setgroups([])
            os.setgid(1000)
            os.setuid(1000)

        def start(*words, **kwargs):
            return subprocess.Popen(["/amoskys", *words], env=environment, preexec_fn=enter, stdin=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, **kwargs)
        keys = start("pki", "init", "--agent", "edge", stdout=subprocess.DEVNULL)
        _, said = keys.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(keys.returncode, 0, said)
        bus = start("bus", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--ready-file", "/state/ready.json")
        self.addCleanup(lambda: bus.poll() is None and bus.kill())
        ready = root / "state" / "ready.json"
        told = harness.wait_until(lambda: bus.poll() is None and ready.exists() and ready.read_text(), "the bus serves")
        health = start("--quiet", "health", "--http", json.loads(told)["http"], stdout=subprocess.DEVNULL)
        self.assertEqual((health.communicate(timeout=harness.PATIENCE_S)[1], health.returncode), (b"", 0))
        bus.terminate()
        _, said = bus.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(bus.returncode, 0, said)
        health = start("--quiet", "health", "--http", json.loads(told)["http"], stdout=subprocess.DEVNULL)
        health.communicate(timeout=harness.PATIENCE_S)
        self.assertEqual(health.returncode, 69)  # what a health check of a dead bus says

    def test_the_health_check_of_the_image_is_a_command_of_ours(self):
        line = re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", (CONTAINER / "Containerfile").read_text(), re.MULTILINE)
        words = json.loads(line[1])
        self.assertEqual(words[0], "/amoskys")
        self.assertEqual(self.run_cli("health", "--http", f"127.0.0.1:{harness.free_tcp_port()}")[0], 69)
        self.assertEqual([word for word in words if word.startswith("--")], ["--quiet", "--http"])


class ComposeTest(harness.AmoskysTest, CommandsMixin):
    def setUp(self):
        super().setUp()
        [self.compose] = documents(CONTAINER / "compose.yaml")
        self.services = self.compose["services"]
        self.ours = {name: each for name, each in self.services.items() if each["image"] == "amoskys"}

    def test_every_reference_resolves(self):
        for name, service in self.services.items():
            with self.subTest(name):
                for volume in service.get("volumes", []):
                    self.assertIn(volume.split(":")[0], self.compose["volumes"])
                for network in service.get("networks", []):
                    self.assertIn(network, self.compose["networks"])
                for config in service.get("configs", []):
                    self.assertIn(config["source"], self.compose["configs"])
                for secret in service.get("secrets", []):
                    self.assertIn(secret, self.compose["secrets"])
                for other in service.get("depends_on", {}):
                    self.assertIn(other, self.services)
        for config in self.compose["configs"].values():
            self.assertTrue((CONTAINER / config["file"]).is_file(), config)

    def test_no_container_of_ours_keeps_what_it_does_not_need(self):
        self.assertGreaterEqual(set(self.ours), {"keys", "bus", "agent-proc", "agent-snmp", "agent-flow"})
        adds = {"agent-proc": ["SYS_PTRACE", "DAC_READ_SEARCH"], "agent-flow": ["NET_RAW", "DAC_READ_SEARCH"]}
        for name, service in self.ours.items():
            with self.subTest(name):
                self.assertIs(service["read_only"], True)
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])
                self.assertEqual(service.get("cap_add", []), adds.get(name, []))
                self.assertNotIn("privileged", service)
                if name != "keys":
                    self.assertIn("mem_limit", service)

    def test_every_command_is_understood(self):
        for service in self.ours.values():
            self.understood(service["command"])

    def test_prometheus_scrapes_services_that_are_there_and_grafana_finds_the_dashboard(self):
        [config] = documents(CONTAINER / "prometheus.yml")
        for job in config["scrape_configs"]:
            for target in job["static_configs"][0]["targets"]:
                service, port = target.split(":")
                self.assertIn(f":{port}", " ".join(map(str, self.services[service]["command"])))
                self.assertIn("watch", self.services[service]["networks"])
        mounted = {each["target"] for each in self.services["prometheus"]["configs"]}
        for file in config["rule_files"]:
            self.assertIn(f"/etc/prometheus/{file}", mounted)
        [provider] = documents(CONTAINER / "grafana-dashboards.yaml")[0]["providers"]
        targets = [each["target"] for each in self.services["grafana"]["configs"]]
        self.assertTrue(any(target.startswith(provider["options"]["path"] + "/") for target in targets))


class KustomizeTest(harness.AmoskysTest, CommandsMixin):
    def setUp(self):
        super().setUp()
        [kustomization] = documents(BASE / "kustomization.yaml")
        self.kustomization = kustomization
        self.objects = [each for file in kustomization["resources"] for each in documents(BASE / file)]

    def of(self, *kinds):
        return [each for each in self.objects if each["kind"] in kinds]

    def workloads(self):
        found = self.of("StatefulSet", "DaemonSet", "Deployment")
        self.assertEqual(len(found), 3)
        return [(each, each["spec"]["template"]["spec"]) for each in found]

    @unittest.skipIf(shutil.which("kubectl") is None, "kubectl is not installed")
    def test_kubectl_builds_it(self):
        done = subprocess.run(["kubectl", "kustomize", BASE], capture_output=True, text=True, timeout=harness.PATIENCE_S,
                              env=os.environ | {"HOME": str(self.folder)})
        if "unknown command" in done.stderr or "unknown flag" in done.stderr:
            self.skipTest("this kubectl cannot build a kustomization")
        self.assertEqual(done.returncode, 0, done.stderr)
        built = [each for each in yaml.safe_load_all(done.stdout) if each]
        self.assertEqual(len(built), len(self.objects) + 1)  # and the ConfigMap
        print(f"kustomize: {len(built)} objects")

    def test_every_reference_resolves(self):
        named = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in self.objects}
        self.assertEqual(len(named), len(self.objects))
        namespaces = {each["metadata"]["name"] for each in self.of("Namespace")}
        made = {each["name"] for each in self.kustomization["configMapGenerator"]}
        for each in self.objects:
            if each["kind"] != "Namespace":
                self.assertIn(each["metadata"]["namespace"], namespaces)
        labels = {}
        for each, pod in self.workloads():
            space = each["metadata"]["namespace"]
            have = each["spec"]["template"]["metadata"]["labels"]
            labels.setdefault(space, []).append(have)
            self.assertTrue(each["spec"]["selector"]["matchLabels"].items() <= have.items())
            self.assertIn(("ServiceAccount", space, pod["serviceAccountName"]), named)
            volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
            volumes |= {claim["metadata"]["name"]: claim for claim in each["spec"].get("volumeClaimTemplates", [])}
            for volume in volumes.values():
                if "configMap" in volume:
                    self.assertIn(volume["configMap"]["name"], made)
            for container in pod["containers"]:
                self.assertEqual({mount["name"] for mount in container["volumeMounts"]}, set(volumes))
                ports = {port["name"] for port in container["ports"]}
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    if probe in container:
                        self.assertIn(container[probe]["httpGet"]["port"], ports)
                        self.assertIn(container[probe]["httpGet"]["path"], ("/livez", "/readyz"))
                self.understood(container["args"])
            if each["kind"] == "StatefulSet":
                self.assertIn(("Service", space, each["spec"]["serviceName"]), named)
                self.assertEqual(each["spec"]["replicas"], 1)
        for each in self.of("Service"):
            self.assertTrue(any(each["spec"]["selector"].items() <= have.items() for have in labels[each["metadata"]["namespace"]]))
        for each in self.of("PodDisruptionBudget"):
            self.assertTrue(any(each["spec"]["selector"]["matchLabels"].items() <= have.items()
                                for have in labels[each["metadata"]["namespace"]]))
        hosts = re.findall(r"amoskys-bus\.amoskys", (BASE / "agents.yaml").read_text())
        self.assertEqual(len(hosts), 2)
        self.assertIn(("Service", "amoskys", "amoskys-bus"), named)

    def test_the_bus_is_within_the_profile_restricted(self):
        """The fields of the Pod Security Standard, in a namespace that enforces it."""
        levels = {each["metadata"]["name"]: each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
                  for each in self.of("Namespace")}
        self.assertEqual(levels, {"amoskys": "restricted", "amoskys-agents": "privileged"})
        for each, pod in self.workloads():
            restricted = levels[each["metadata"]["namespace"]] == "restricted"
            self.assertIs(pod["automountServiceAccountToken"], False)
            self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            for container in pod["containers"]:
                context = container["securityContext"]
                self.assertIs(context["allowPrivilegeEscalation"], False)
                self.assertIs(context["readOnlyRootFilesystem"], True)
                self.assertEqual(context["capabilities"]["drop"], ["ALL"])
                self.assertIn("limits", container["resources"])
            if restricted:
                self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
                self.assertGreater(pod["securityContext"]["runAsUser"], 0)
                self.assertFalse({"hostPID", "hostNetwork", "hostIPC"} & set(pod))
                self.assertFalse([volume for volume in pod["volumes"] if "hostPath" in volume])
                self.assertNotIn("add", pod["containers"][0]["securityContext"]["capabilities"])

    def test_nothing_is_let_in_or_out_that_is_not_named(self):
        closed = {each["metadata"]["namespace"] for each in self.of("NetworkPolicy")
                  if each["spec"]["podSelector"] == {} and set(each["spec"]["policyTypes"]) == {"Ingress", "Egress"}
                  and "ingress" not in each["spec"] and "egress" not in each["spec"]}
        self.assertEqual(closed, {"amoskys", "amoskys-agents"})

    def test_the_bus_runs_with_its_settings_and_the_secret_as_it_is_mounted(self):
        self.ok("pki", "init", "--agent", "node-1")
        keys = self.folder / "keys"
        keys.mkdir()
        self.ok("pki", "trust", "export", self.folder / "shown", "--inline")
        wanted = re.findall(r"--from-file=S/(\S+)", (BASE / "README.md").read_text())
        self.assertGreater(len(wanted), 5)
        for name in wanted:
            folder, _, file = name.partition("/")
            shutil.copy((self.folder if folder == "shown" else self.state) / folder / file, keys / file)
            (keys / file).chmod(0o400)
        settings = self.folder / "amoskys.yaml"
        settings.write_text((BASE / "amoskys.yaml").read_text().replace("/keys", str(keys)).replace("0.0.0.0", "127.0.0.1"))
        self.ok("config", "validate", settings)
        bus, addresses = self.start_bus("--config", settings, state=self.folder / "bus")
        self.ok("agent", "example", "--once", "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)


if __name__ == "__main__":
    unittest.main()
