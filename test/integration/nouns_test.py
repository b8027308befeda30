"""The shape of every JSON noun (keys and kinds of values) is kept in nouns.json, or whole in a golden file of its folder.

AMOSKYS_UPDATE_GOLDEN=1 writes nouns.json anew.
"""
import json
import os
import pathlib
import re
import unittest

import harness

KEPT = pathlib.Path(__file__).with_name("nouns.json")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def shape(value):
    if isinstance(value, dict):
        return {key: value[key] if key == "schema" else shape(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        return "time" if TIME.fullmatch(value) else "text"
    return {bool: "boolean", int: "number", float: "number", type(None): "null"}[type(value)]


class Nouns(harness.AmoskysTest):
    def rows(self):
        """(device, second, metric values) of two devices over an hour, every 10 s."""
        lines = ["device_id,ts_ns,cpu_pct,mem_kb"]
        for i in range(360):
            for device in ("a", "b"):
                cpu = 95 if i in (200, 201, 202, 203) else 20 + (i * 7) % 13
                lines.append(f"{device},{1_730_000_000_000_000_000 + i * 10_000_000_000},{cpu},{1000 + (i * 11) % 17}")
        return "\n".join(lines) + "\n"

    def security(self, address):
        """Of any build: the lists may be empty, so each gets an item."""
        told = json.loads(self.run_cli("health", "--http", address, "--security", "-o", "json")[1])
        return told | {name: ["x"] for name in ("capabilities", "missing", "waived")}

    def make_log(self):
        csv = self.folder / "rows.csv"
        csv.write_text(self.rows())
        bus, addresses = self.start_bus()
        told = {"health": self.ok_json("health", "--bus", addresses["listen"]),
                "security": self.security(addresses["http"])}
        self.ok("agent", "replay", csv, "--bus", addresses["listen"])
        self.assertEqual(self.stop(bus), 0)
        return told

    def forecast(self, features):
        self.ok("score", "train", "--features", features, "--model", "var", "--parameter", "lags=1")
        return self.ok_ndjson("score", "forecast", "--features", features, "--ahead", "1")[0]

    def make_scores(self):
        features = self.folder / "features"
        table = self.folder / "table.csv"
        table.write_text("x,y,label\n" + "".join(f"{i % 7},{i % 5},0\n" for i in range(60)) + "90,90,1\n")
        told = {"pipeline_summary": self.ok_json("etl", "--out", features),
                "feature": self.ok_json("etl", "features")[0],
                "feature_quality": self.ok_json("etl", "quality", "--features", features)[0],
                "model": self.ok_json("score", "train", "--features", features, "--model", "iforest"),
                "score": self.ok_ndjson("score", "run", "--features", features)[0],
                "forecast": self.forecast(features),
                "drift": self.ok_json("score", "drift", "--features", features),
                "evaluation": self.ok_json("score", "eval", "--train", table, "--test", table, "--label", "label",
                                           "--model", "iforest", "--seed", "0")}
        return told

    def make_alerts(self):
        """Of the processes of this host, by a rule that takes any of them; in a log of their own."""
        state = self.folder / "processes"
        rule = self.folder / "any.yml"
        rule.write_text("title: Any program\nname: any\ntags: [attack.t1059]\nlevel: low\n"
                        "logsource: {product: linux, category: process_creation}\n"
                        "detection: {s: {Image|exists: true}, condition: s}\n"
                        "falsepositives: [all]\namoskys: {group-by: [device], responses: [look]}\n")
        self.ok("pki", "init", state=state)
        bus, addresses = self.start_bus(state=state)
        self.ok("agent", "proc", "--once", "--bus", addresses["listen"], state=state)
        self.assertEqual(self.stop(bus), 0)
        told = {"rule": self.ok_json("score", "rules", "list", "--own", rule)[0],
                "rule_explanation": self.ok_json("score", "rules", "explain", "any", "--rules", rule),
                "rule_match": self.ok_ndjson("score", "rules", "test", rule, "--limit", "1", state=state)[0]}
        self.ok("score", "rules", "run", "--own", "--rules", rule, state=state)
        return told | {"alert": self.ok_json("score", "alerts", "list", state=state)[0],
                       "device_trust": self.ok_json("score", "alerts", "devices", state=state)[0]}

    def make_all(self):
        told = {"key_file": self.ok_json("pki", "init", "--agent", "edge-1")[0],
                "dash_token": self.ok_json("dash", "token", "alice")}
        told |= self.make_log()
        told |= self.make_scores()
        told |= self.make_alerts()
        told["backup"] = self.ok_json("inspect", "backup", self.folder / "backup.tar.zst")
        told["restore"] = self.ok_json("inspect", "restore", self.folder / "backup.tar.zst", "--log", self.folder / "restored")
        told["rotation_step"] = self.ok_json("pki", "rotate", "agent", "edge-1")[0]
        told["certificate"] = self.ok_json("pki", "list")[0]
        told["trusted_agent"] = self.ok_json("pki", "trust", "accept-reset", "edge-1/snmp")[0]
        told["version"] = self.ok_json("version")
        told["module"] = self.ok_json("modules")[0]
        told["setting"] = self.ok_json("config", "show", "--effective")[0]
        told["validation"] = self.ok_json("config", "validate")
        told["data_file"] = self.ok_json("config", "dump", self.folder / "dump")[0]
        told["metric"] = self.ok_json("config", "metrics")[0]
        told["error"] = json.loads(self.fails(64, "nonsense", "-o", "json").splitlines()[-1])
        return told

    def test_every_noun_has_the_shape_that_is_kept(self):
        shapes = {noun: shape(value) for noun, value in sorted(self.make_all().items())}
        for noun, each in shapes.items():
            self.assertEqual(each["schema"], f"amoskys.{noun}/1")
        if os.environ.get("AMOSKYS_UPDATE_GOLDEN") == "1":
            KEPT.write_text(json.dumps(shapes, indent=2, sort_keys=True) + "\n")
        kept = json.loads(KEPT.read_text())
        for noun in sorted(set(kept) | set(shapes)):
            with self.subTest(noun):
                self.assertEqual(shapes.get(noun), kept.get(noun))

    def test_no_noun_of_the_sources_is_without_a_kept_shape(self):
        kept = set(json.loads(KEPT.read_text()))
        kept |= {file.stem for file in harness.SOURCE.glob("modules/*/*/test/golden/*.json")}
        found = set()
        for file in [*harness.SOURCE.glob("core/*/*.cc"), *harness.SOURCE.glob("modules/*/*/*.cc")]:
            text = file.read_text()
            found |= set(re.findall(r'\bNoun \w+(?: = )?\{"([a-z_]+)"', text))
            found |= set(re.findall(r'write_object\([^;"]*"([a-z_]+)"', text))
            found |= set(re.findall(r'\{"([a-z_]+)",\s*\w+_columns\}', text))
        self.assertGreater(len(found), 15)
        self.assertEqual(sorted(found - kept), [])


if __name__ == "__main__":
    unittest.main()
