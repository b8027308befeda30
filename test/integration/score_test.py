"""`score` as a user runs it: models of every kind, versions, drift, bad input; its forest against scikit-learn's."""
import hashlib
import importlib
import math
import random
import shutil
import subprocess
import sys
import unittest

import harness

KINDS = ("iforest", "pforest", "zscore", "pca", "var", "kmeans", "ecod", "fused")


def machine(rows, seed, faulty=range(0), shift=0.0):
    """Three metrics that go together, with broken relations in the rows of `faulty`."""
    noise = random.Random(seed)
    lines = ["cpu,load,temp,label"]
    for i in range(rows):
        wave = math.sin(i / 30) + shift
        cpu, load, temp = (wave + noise.gauss(0, .05), 10 + 3 * wave + noise.gauss(0, .1), 40 + wave + noise.gauss(0, .1))
        if i in faulty:
            load = 25
        lines.append(f"{cpu:.5f},{load:.5f},{temp:.5f},{int(i in faulty)}")
    return "\n".join(lines) + "\n"


class ScoreTest(harness.AmoskysTest):
    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def test_every_kind_finds_a_broken_metric_and_names_it(self):
        train = self.write("train.csv", machine(1500, 1))
        test = self.write("test.csv", machine(600, 2, faulty=range(300, 330)))
        for kind in KINDS:
            with self.subTest(kind):
                found = self.ok_json("score", "eval", "--train", train, "--test", test, "--label", "label", "--model", kind,
                                     "--seed", "0")
                # These two count how far each column is at its edge; one column beyond it is not much to them.
                edges = kind in ("iforest", "ecod")
                self.assertGreater(found["roc_auc"], 0.7 if edges else 0.9)
                if not edges:
                    self.assertGreater(found["recall"], 0)
                self.ok("score", "train", "--features", train, "--ignore", "label", "--model", kind, "--seed", "0")
                worst = self.ok_ndjson("score", "run", "--features", test, "--ignore", "label", "--model", kind,
                                       "--limit", "1")[0]
                self.assertTrue(worst["anomaly"])
                self.assertTrue(0 <= worst["low"] <= worst["score"] <= worst["high"] <= 1)
                rows = self.ok_ndjson("score", "run", "--features", test, "--ignore", "label", "--model", kind)
                self.assertEqual(len(rows), 600)
                why = rows[305]["features"][0]
                self.assertEqual((why["feature"], why["direction"]), ("load", "above"))
                self.assertIn("load is 25, usually ", rows[305]["why"])

    def test_fusions_and_thresholds_are_chosen_by_option(self):
        train = self.write("train.csv", machine(800, 1))
        test = self.write("test.csv", machine(300, 2, faulty=range(100, 130)))
        for options in (("--fusion", "weighted"), ("--fusion", "bayesian"), ("--fusion", "maximum"), ("--threshold", "spot"),
                        ("--threshold", "quantile", "--confirm", "3", "--within", "5"), ("--smooth", "1")):
            with self.subTest(options):
                found = self.ok_json("score", "eval", "--train", train, "--test", test, "--model", "fused", *options)
                self.assertGreater(found["roc_auc"], 0.9)
                self.assertGreater(found["f1"], 0.3)
        self.fails(64, "score", "eval", "--train", train, "--test", test, "--fusion", "medium")

    def test_versions_are_listed_and_gone_back_to(self):
        first = self.write("first.csv", machine(300, 1))
        second = self.write("second.csv", machine(400, 2))
        for table in (first, second):
            self.ok("score", "train", "--features", table, "--ignore", "label", "--model", "zscore")
        listed = self.ok_json("score", "models", "list")[0]
        self.assertEqual((listed["version"], listed["versions"], listed["rows"]), (2, [1, 2], 400))
        self.assertEqual(self.ok_json("score", "models", "rollback", "zscore")["rows"], 300)
        self.assertEqual(self.ok_json("score", "models")[0]["version"], 1)
        self.assertIn("no version before", self.fails(66, "score", "models", "rollback", "zscore"))
        self.assertEqual(self.ok_json("score", "models", "activate", "zscore", "2")["rows"], 400)
        self.fails(66, "score", "models", "activate", "zscore", "7")
        self.fails(64, "score", "models", "activate", "zscore")
        self.fails(66, "score", "models", "rollback", "other")

    def test_drift_says_when_to_train_again(self):
        train = self.write("train.csv", machine(2000, 1))
        self.ok("score", "train", "--features", train, "--ignore", "label", "--model", "zscore")
        same = self.ok_json("score", "drift", "--features", self.write("same.csv", machine(2000, 2)), "--model", "zscore")
        self.assertEqual((same["retrain"], same["drifted"]), (False, 0))
        moved = self.ok_json("score", "drift", "--features", self.write("moved.csv", machine(2000, 3, shift=1)),
                             "--model", "zscore")
        self.assertEqual((moved["retrain"], moved["drifted"]), (True, 3))
        self.assertGreater(moved["worst"][0]["psi"], 0.25)

    def test_auto_replaces_a_model_only_by_a_better_one(self):
        poor = self.write("poor.csv", machine(200, 5, faulty=range(50, 100), shift=2))
        good = self.write("good.csv", machine(2000, 1))
        train = ("score", "train", "--ignore", "label", "--model", "zscore", "--auto", "--features")
        self.assertEqual(self.ok_json(*train, poor)["version"], 1)  # nothing to compare with
        code, out, err = self.run_cli(*train, good, "-o", "json")
        self.assertEqual(code, 0)
        self.assertIn(": replaced", err)
        self.assertIn('"version":2', out.replace(" ", ""))
        code, out, err = self.run_cli(*train, good, "-o", "json")
        self.assertIn(": kept", err)
        self.assertIn('"version":2', out.replace(" ", ""))

    def test_forecasts_come_with_intervals(self):
        table = self.write("train.csv", machine(1500, 1))
        self.ok("score", "train", "--features", table, "--ignore", "label", "--model", "var")
        rows = self.ok_ndjson("score", "forecast", "--features", table, "--ahead", "1,10")
        self.assertEqual([(row["ahead"], row["feature"]) for row in rows],
                         [(ahead, name) for ahead in (1, 10) for name in ("cpu", "load", "temp")])
        for row in rows:
            self.assertTrue(row["low"] < row["value"] < row["high"])
        self.assertAlmostEqual(rows[0]["value"], math.sin(1500 / 30), delta=0.3)
        self.fails(64, "score", "forecast", "--features", table, "--ahead", "0")
        self.ok("score", "train", "--features", table, "--ignore", "label", "--model", "pca")
        self.assertIn("makes no forecasts", self.fails(64, "score", "forecast", "--features", table, "--model", "pca"))

    def test_a_damaged_foreign_or_other_model_is_one_clear_error(self):
        table = self.write("train.csv", machine(300, 1))
        self.ok("score", "train", "--features", table, "--ignore", "label", "--model", "pca")
        path = self.state / "models" / "pca.model"
        good = path.read_bytes()
        for bad in (good[:-1], good[:50], b"", good[:200] + b"x" + good[201:], b"\x08\x02" + good[2:]):
            path.write_bytes(bad)
            self.assertIn("model file", self.fails(65, "score", "run", "--features", table, "--model", "pca"))
        path.write_bytes(good)
        self.assertIn("lacks 2 of the 3 columns of the model: cpu, load", self.fails(
            65, "score", "run", "--features", self.write("other.csv", "temp,x\n1,2\n"), "--model", "pca"))
        self.assertIn("did you mean pca?", self.fails(64, "score", "train", "--features", table, "--model", "pcaa"))

    def test_odd_tables_are_learned_from_or_refused_with_a_reason(self):
        constant = self.write("constant.csv", "a,b\n" + "1,2\n" * 200)
        holes = self.write("holes.csv", "a,b\n" + "1,\n,nan\n2,\n" * 80)
        one = self.write("one.csv", "a,b\n1,2\n")
        wide = self.write("wide.csv", ",".join(f"c{i}" for i in range(10_000)) + "\n"
                          + "".join(",".join(str((i * j) % 7) for i in range(10_000)) + "\n" for j in range(12)))
        for kind in KINDS:
            for table in (constant, holes):
                with self.subTest((kind, table.name)):
                    self.ok("score", "train", "--features", table, "--model", kind)
                    rows = self.ok_ndjson("score", "run", "--features", table, "--model", kind)
                    self.assertTrue(all(math.isfinite(row["score"]) for row in rows))
                    self.assertFalse(any(row["anomaly"] for row in rows if table is constant))
            with self.subTest((kind, "one")):
                self.assertIn("training needs at least 2", self.fails(65, "score", "train", "--features", one, "--model", kind))
            with self.subTest((kind, "wide")):
                code, _, err = self.run_cli("score", "train", "--features", wide, "--model", kind)
                if code != 0:
                    self.assertEqual(code, 65)
                    self.assertIn("10000 columns; at most", err)


class SklearnTest(harness.AmoskysTest):
    """The forest that scikit-learn built, walked by us, has scikit-learn's scores."""

    def setUp(self):
        super().setUp()
        try:
            self.numpy = importlib.import_module("numpy")
            self.ensemble = importlib.import_module("sklearn.ensemble")
            importlib.import_module("google.protobuf")
        except ImportError as error:
            self.skipTest(f"python3-sklearn and python3-protobuf are wanted: {error}")
        if not shutil.which("protoc"):
            self.skipTest("protoc is wanted")
        subprocess.run(["protoc", "-I", harness.SOURCE, "--python_out", self.folder, "proto/model.proto"], check=True)
        sys.path.insert(0, str(self.folder))
        self.addCleanup(sys.path.remove, str(self.folder))
        self.proto = importlib.import_module("proto.model_pb2")

    def saved(self, kind, **lists):
        out = self.proto.Fitted(kind=kind, format=1)
        for name, (field, values) in lists.items():
            getattr(out.lists.add(name=name), field).extend(values)
        return out

    def model_file(self, forest, columns):
        np = self.numpy
        nodes = {"tree_nodes": [], "feature": [], "threshold": [], "right": []}
        for each in forest.estimators_:
            tree = each.tree_
            leaf = tree.children_left == -1
            branches = np.flatnonzero(~leaf)
            self.assertTrue((tree.children_left[branches] == branches + 1).all())
            # x <= threshold for a float32 x: the next float32 below the double.
            single = tree.threshold.astype(np.float32)
            single = np.where(single > tree.threshold, np.nextafter(single, np.float32(-np.inf)), single)
            nodes["tree_nodes"].append(tree.node_count)
            nodes["feature"] += np.where(leaf, 0, tree.feature + 1).tolist()
            nodes["threshold"] += np.where(leaf, 0, single).tolist()
            nodes["right"] += np.where(leaf, tree.n_node_samples, tree.children_right).tolist()
        lists = {name: ("floats" if name == "threshold" else "whole", values) for name, values in nodes.items()}
        width = len(columns)
        fitted = self.saved("iforest", median=("doubles", [0] * width), deviation=("doubles", [1] * width),
                            sample=("whole", [forest.max_samples_]), **lists)
        # severity = -log10(1 - .98 score): the score can be read off again.
        tail = self.saved("tail", knots=("doubles", [0, 1]), above=("doubles", [0, 0, 0]))
        body = self.proto.TrainedModel(name="theirs", kind="iforest", trained="2024-01-01T00:00:00Z", training_json="{}",
                                       columns=columns, fusion="mean")
        body.columns_sha256 = hashlib.sha256("".join(f"{c}\n" for c in columns).encode()).digest()
        member = body.members.add(smoothing=1, weight=.35)
        member.model.CopyFrom(fitted)
        member.tail.CopyFrom(tail)
        body.threshold.CopyFrom(self.saved("quantile", quantile=("doubles", [.99]), severity=("doubles", [1]),
                                           confirm=("whole", [1]), within=("whole", [1]), recent=("floats", []),
                                           peaks=("doubles", [0, 0, 0, 0])))
        body.drift.CopyFrom(self.saved("spread", quantiles=("floats", [0] * 41 * width), empty=("whole", [0] * width)))
        text = body.SerializeToString()
        return self.proto.ModelFile(version=1, sha256=hashlib.sha256(text).digest(), body=text).SerializeToString()

    def test_scores_are_scikit_learns(self):
        np = self.numpy
        numbers = np.random.RandomState(3)
        x = np.hstack([numbers.normal(size=(700, 3)), numbers.exponential(size=(700, 2)) * 1e4]).astype(np.float32)
        x[::50] *= 6
        forest = self.ensemble.IsolationForest(n_estimators=100, max_samples=256, random_state=5).fit(x)
        wanted = -forest.score_samples(x)
        columns = [f"c{i}" for i in range(5)]
        folder = self.state / "models"
        folder.mkdir(parents=True)
        (folder / "theirs.model").write_bytes(self.model_file(forest, columns))
        table = self.folder / "x.csv"
        table.write_text(",".join(columns) + "\n" + "".join(",".join(repr(float(v)) for v in row) + "\n" for row in x))
        rows = self.ok_ndjson("score", "run", "--features", table, "--model", "theirs", "--reasons", "0")
        ours = np.array([(1 - 10 ** -row["severity"]) / .98 for row in rows])
        self.assertLess(np.abs(ours - wanted).max(), 1e-6)


if __name__ == "__main__":
    unittest.main()
