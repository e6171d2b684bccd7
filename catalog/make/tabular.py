"""Trains the iris classifiers with scikit-learn: version 1.0.0 is a logistic regression, 1.1.0 a small network."""

from common import Graph, finish_folder, start_folder
import numpy as np
import onnxruntime
from onnx import TensorProto
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

ID = "sklearn-tabularclassification-iris"
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROWS = {"setosa": [5.1, 3.5, 1.4, 0.2], "versicolor": [5.9, 2.8, 4.3, 1.3], "virginica": [6.7, 3.1, 5.6, 2.4]}

CARD = """
# Iris species classifier {version}

Tells the species of an iris flower from four lengths in centimetres. {what}

## Data
The iris data set of R. A. Fisher (1936), as bundled with scikit-learn (`sklearn.datasets.load_iris`, BSD-3-Clause; the
UCI Machine Learning Repository gives the data under CC BY 4.0): 150 flowers, three species, 50 each. 105 were used
for training, 45 (15 of each species, `random_state=7`) were held out.

## Measured on the 45 held-out flowers
| what | value |
|---|---|
| accuracy | {accuracy:.3f} |
| log loss | {loss:.3f} |

With 45 flowers one mistake is 0.022 of accuracy; a difference of one or two between versions says little.

## Input and answer
`application/json`: `{{"instances": [{{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}}]}}`; `text/csv`:
four numbers a line in that order, a header line is allowed; `application/x-npy`: a float array `[n, 4]`.
The answer is `{{"predictions": [{{"label": ..., "score": ..., "probabilities": {{...}}}}]}}`.

## Limits
A teaching data set. Flowers of other species get one of the three names all the same.

## Licence
Apache-2.0 for the model. Made by `catalog/make/tabular.py`.
"""


def write(version, what, layers, scaler, activation, held):
    """layers: [(weight, bias)]; the scaling is part of the graph."""
    folder, g = start_folder(ID, version), Graph()
    x = g.op("Div", g.op("Sub", "features", g.weight(scaler.mean_[None])), g.weight(scaler.scale_[None]))
    for i, (weight, bias) in enumerate(layers):
        x = g.linear(x, weight, bias[None])
        if i + 1 < len(layers):
            x = g.op(activation, x)
    g.op("Softmax", x, axis=1, out="probabilities")
    path = folder / "artifact" / "model.onnx"
    g.save(path, [("features", TensorProto.FLOAT, ["batch", 4])], [("probabilities", TensorProto.FLOAT, ["batch", 3])])

    features, target = held
    got = onnxruntime.InferenceSession(str(path)).run(None, {"features": features.astype(np.float32)})[0]
    accuracy, loss = accuracy_score(target, got.argmax(1)), log_loss(target, got.astype(np.float64))
    print(f"iris {version}: accuracy {accuracy:.3f}, log loss {loss:.3f}")
    named = {name: dict(zip(COLUMNS, row)) for name, row in ROWS.items()}
    finish_folder(
        folder, display_name="Iris species classifier", description=f"Tells the species of an iris flower from four lengths. {what}",
        task="Tabular Classification", framework="sklearn", provider="scikit-learn", min_memory_mb=128,
        keywords=["tabular-classification", "iris", "scikit-learn"], card=CARD.format(version=version, what=what, accuracy=accuracy, loss=loss),
        content_types=["application/json", "text/csv", "application/x-npy"], accept_types=["application/json"],
        example_payloads={
            "setosa": {"content_type": "application/json", "body": {"instances": [named["setosa"]]}},
            "all_three": {"content_type": "application/json", "body": {"instances": list(named.values())}},
            "virginica_csv": {"content_type": "text/csv", "body": ",".join(map(str, ROWS["virginica"]))},
        },
        config=dict(task="tabular-classification", model_file="model.onnx", input=dict(name="features", columns=COLUMNS),
                    output=dict(name="probabilities"), labels=["setosa", "versicolor", "virginica"]))


def main():
    data = load_iris()
    train_x, held_x, train_y, held_y = train_test_split(data.data, data.target, test_size=45, stratify=data.target, random_state=7)
    scaler = StandardScaler().fit(train_x)
    line = LogisticRegression(C=1.0, max_iter=500).fit(scaler.transform(train_x), train_y)
    write("1.0.0", "A logistic regression.", [(line.coef_.T, line.intercept_)], scaler, None, (held_x, held_y))
    net = MLPClassifier((16, 16), activation="tanh", alpha=0.05, solver="lbfgs", max_iter=500, random_state=7)
    net.fit(scaler.transform(train_x), train_y)
    write("1.1.0", "A network with two layers of 16 units.", list(zip(net.coefs_, net.intercepts_)), scaler, "Tanh", (held_x, held_y))


if __name__ == "__main__":
    main()
