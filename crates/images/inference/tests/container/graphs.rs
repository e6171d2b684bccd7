//! Graphs that are not of the catalog: raw tensors, the other decoder style, averaging under a mask, one-row batches.

use std::fs;

use serde_json::{Value, json};
use stoa_image_inference::{ImageError, PredictError, Predictor};

use crate::support::{artifact, ask, ask_json, fixture, refused};

#[test]
fn a_lone_onnx_file_is_served_as_tensors() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        artifact("sklearn-tabularclassification-iris", "1.0.0").join("model.onnx"),
        folder.path().join("iris.onnx"),
    )
    .unwrap();
    let model = Predictor::load(folder.path()).unwrap();
    assert_eq!(model.task(), "raw-tensors");
    let rows = json!([[6.7, 3.1, 5.6, 2.4], [5.1, 3.5, 1.4, 0.2]]);
    let whole = ask_json(&model, &json!({"inputs": rows}));
    assert!(
        whole["outputs"][0][2].as_f64().unwrap() > 0.5 && whole["outputs"][1][0].as_f64().unwrap() > 0.9,
        "{whole}"
    );
    let batch = ask_json(&model, &json!({"instances": rows}));
    assert_eq!(batch["predictions"], whole["outputs"]);
    assert_eq!(ask_json(&model, &json!({"instances": [{"features": rows[0]}]}))["predictions"][0], whole["outputs"][0]);
    let csv = ask(&model, "text/csv", "text/csv", "6.7,3.1,5.6,2.4\n5.1,3.5,1.4,0.2").unwrap();
    assert_eq!(String::from_utf8(csv.body).unwrap().lines().count(), 2);
    let message = refused(&model, "application/json", "{\"inputs\": [[1, 2]]}");
    assert!(message.contains("`features`") && message.contains("[?, 4]"), "{message}");
    refused(&model, "application/json", "{\"instances\": [{\"ink\": [1, 2, 3, 4]}]}");
    refused(&model, "application/json", "{\"instances\": [[1, 2, 3, 4]], \"inputs\": 1}");
    refused(&model, "application/json", "{\"data\": 1}");
}

#[test]
fn several_ports_go_by_name() {
    let model = Predictor::load(&fixture("two_ports")).unwrap();
    let got = ask_json(&model, &json!({"inputs": {"left": [[1, 2]], "right": [[3, 4]]}}));
    assert_eq!(got, json!({"outputs": {"sum": [[4.0, 6.0]], "product": [[3.0, 8.0]]}}));
    let got =
        ask_json(&model, &json!({"instances": [{"left": [1, 2], "right": [3, 4]}, {"left": [0, 1], "right": [1, 0]}]}));
    assert_eq!(got["predictions"]["sum"], json!([[4.0, 6.0], [1.0, 1.0]]));
    refused(&model, "application/json", "{\"inputs\": {\"left\": [[1, 2]]}}");
    refused(&model, "application/json", "{\"inputs\": [[1, 2]]}");
    refused(&model, "application/json", "{\"instances\": [{\"left\": [1, 2], \"right\": [3, 4]}, {\"left\": [1, 2]}]}");
    let npy =
        ask(&model, "application/json", "application/x-npy", "{\"inputs\": {\"left\": [[1, 2]], \"right\": [[3, 4]]}}");
    assert!(matches!(npy, Err(PredictError::NotAcceptable(_))));
}

#[test]
fn a_decoder_without_a_cache_is_run_over_the_whole_text() {
    let model = Predictor::load(&fixture("full_decoder")).unwrap();
    assert_eq!(ask_json(&model, &json!({"inputs": "one"})), json!([{"generated_text": "two three four"}]));
    let got = ask_json(&model, &json!({"inputs": ["one two", "four"], "parameters": {"max_new_tokens": 1}}));
    assert_eq!(got, json!([{"generated_text": "three"}, {"generated_text": ""}]));
    refused(&model, "application/json", json!({"inputs": "one two three four one two three four"}).to_string());
    refused(&model, "application/json", json!({"inputs": ""}).to_string());
}

#[test]
fn token_vectors_are_averaged_without_the_padding() {
    let model = Predictor::load(&fixture("token_vectors")).unwrap();
    let got = ask_json(&model, &json!({"inputs": ["east", "far far north"]}));
    assert_eq!(got["embedding"][0], json!([1.0, 0.0]));
    let second: Vec<f64> = serde_json::from_value::<Vec<f64>>(got["embedding"][1].clone()).unwrap();
    // (3 + 3, 4) brought to length one.
    assert!((second[0] - 6.0 / 52.0_f64.sqrt()).abs() < 1e-6 && (second[1] - 4.0 / 52.0_f64.sqrt()).abs() < 1e-6);
    assert_eq!(ask_json(&model, &json!({"text_inputs": "east"})), json!({"embedding": [1.0, 0.0]}));
}

#[test]
fn a_graph_for_one_row_takes_many_one_by_one() {
    let model = Predictor::load(&fixture("one_row")).unwrap();
    let got = ask_json(&model, &json!({"instances": [{"a": 2, "b": 0}, {"a": 0, "b": 1}, [5, 5.5]]}));
    let labels: Vec<&Value> = got["predictions"].as_array().unwrap().iter().map(|row| &row["label"]).collect();
    assert_eq!(labels, ["first", "second", "second"]);
    let score = got["predictions"][0]["score"].as_f64().unwrap();
    assert!((score - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 1e-5, "{score}");
}

#[test]
fn unusable_folders_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let reason = || match Predictor::load(folder.path()) {
        Err(ImageError::Model(reason)) => reason,
        Err(other) => other.to_string(),
        Ok(model) => panic!("loaded as {}", model.task()),
    };
    assert!(reason().contains("no .onnx file"));
    fs::write(folder.path().join("model.onnx"), b"this is no graph").unwrap();
    assert!(reason().contains("cannot be loaded"), "{}", reason());
    fs::copy(fixture("two_ports").join("model.onnx"), folder.path().join("model.onnx")).unwrap();
    fs::copy(fixture("one_row").join("config.json"), folder.path().join("config.json")).unwrap();
    assert!(reason().contains("no input `x`"), "{}", reason());
    fs::copy(fixture("full_decoder").join("config.json"), folder.path().join("config.json")).unwrap();
    assert!(reason().contains("`input_ids`"), "{}", reason());
}
