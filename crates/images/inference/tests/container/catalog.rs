//! Each sample model is loaded from `catalog/sample` and answers each of its example payloads as its card says.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};
use stoa_image_inference::Predictor;

use crate::support::{artifact, ask, ask_json, load, refused, sample_dir};

/// (version folder, manifest) of every sample.
fn samples() -> Vec<(PathBuf, Value)> {
    let mut found = Vec::new();
    for id in fs::read_dir(sample_dir()).unwrap() {
        for version in fs::read_dir(id.unwrap().path()).unwrap() {
            let folder = version.unwrap().path();
            let manifest = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
            found.push((folder, manifest));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

fn payload_answer(folder: &std::path::Path, manifest: &Value, alias: &str) -> Value {
    let payload = &manifest["example_payloads"][alias];
    let body = match &payload["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let model = Predictor::load(&folder.join("artifact")).unwrap();
    let answer = ask(&model, payload["content_type"].as_str().unwrap(), "application/json", body).unwrap();
    assert_eq!(answer.content_type, "application/json");
    serde_json::from_slice(&answer.body).unwrap()
}

fn manifest_of(id: &str, version: &str) -> (PathBuf, Value) {
    samples().into_iter().find(|(_, manifest)| manifest["id"] == id && manifest["version"] == version).unwrap()
}

fn answer(id: &str, version: &str, alias: &str) -> Value {
    let (folder, manifest) = manifest_of(id, version);
    payload_answer(&folder, &manifest, alias)
}

fn labels(answer: &Value) -> Vec<&str> {
    let rows = answer.get("predictions").unwrap_or(answer).as_array().unwrap();
    rows.iter().map(|row| row["label"].as_str().unwrap()).collect()
}

/// The SDK snake-cases the keys of a body and drops bare numbers in lists; a payload must not change under that.
fn survives_the_sdk(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.iter().all(|(key, inner)| snake(key) && survives_the_sdk(inner)),
        Value::Array(items) => items
            .iter()
            .all(|item| !matches!(item, Value::Number(_) | Value::Bool(_) | Value::Null) && survives_the_sdk(item)),
        _ => true,
    }
}

fn snake(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn the_catalog_is_complete_and_small() {
    let samples = samples();
    let ids: BTreeSet<&str> = samples.iter().map(|(_, manifest)| manifest["id"].as_str().unwrap()).collect();
    assert!(ids.len() >= 5, "{ids:?}");
    assert!(samples.len() > ids.len(), "one model must have two versions");
    let firsts: BTreeSet<&str> = ids.iter().map(|id| id.split('-').next().unwrap()).collect();
    assert!(firsts.len() > 1, "a framework filter must have something to tell apart");
    assert_eq!(samples.iter().filter(|(_, manifest)| manifest["gated"] == true).count(), 1);
    let mut bytes = 0;
    let mut folders: Vec<PathBuf> = vec![sample_dir()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                bytes += entry.metadata().unwrap().len();
            }
        }
    }
    assert!(bytes <= 8 * 1024 * 1024, "{bytes}");
}

#[test]
fn each_manifest_keeps_to_the_format() {
    for (folder, manifest) in samples() {
        let id = manifest["id"].as_str().unwrap();
        assert_eq!(folder.file_name().unwrap().to_str(), manifest["version"].as_str(), "{id}");
        assert_eq!(folder.parent().unwrap().file_name().unwrap().to_str(), Some(id));
        assert!(id.split('-').count() >= 3, "{id}");
        assert_eq!(id.split('-').next(), manifest["framework"].as_str(), "{id}");
        assert_eq!(manifest["image"], "stoa/inference:1");
        assert_eq!(manifest["accept_types"], json!(["application/json"]));
        assert_eq!(manifest["gated"] == true, manifest.get("eula").is_some(), "{id}");
        if let Some(eula) = manifest["eula"].as_str() {
            assert!(fs::read_to_string(folder.join(eula)).unwrap().len() > 500);
        }
        for file in ["README.md", "artifact/model.onnx", "artifact/config.json"] {
            assert!(folder.join(file).is_file(), "{id} {file}");
        }
        let instances = manifest["supported_instance_types"].as_array().unwrap();
        assert!(instances.contains(&manifest["default_instance_type"]), "{id}");
        let payloads = manifest["example_payloads"].as_object().unwrap();
        assert!(!payloads.is_empty());
        for (alias, payload) in payloads {
            assert!(snake(alias) && survives_the_sdk(&payload["body"]), "{id} {alias}");
            assert!(manifest["content_types"].as_array().unwrap().contains(&payload["content_type"]), "{id} {alias}");
            payload_answer(&folder, &manifest, alias);
        }
    }
}

#[test]
fn both_iris_versions_name_each_species() {
    let id = "sklearn-tabularclassification-iris";
    for version in ["1.0.0", "1.1.0"] {
        assert_eq!(labels(&answer(id, version, "setosa")), ["setosa"]);
        assert_eq!(labels(&answer(id, version, "all_three")), ["setosa", "versicolor", "virginica"]);
        assert_eq!(labels(&answer(id, version, "virginica_csv")), ["virginica"]);
    }
    let [one, other] =
        ["1.0.0", "1.1.0"].map(|version| answer(id, version, "setosa")["predictions"][0]["score"].as_f64().unwrap());
    assert!(one > 0.9 && other > 0.9 && one != other);
}

#[test]
fn digits_are_read_as_what_they_are() {
    let id = "jax-imageclassification-digits";
    assert_eq!(labels(&answer(id, "1.0.0", "three")), ["3"]);
    assert_eq!(labels(&answer(id, "1.0.0", "seven_and_zero")), ["7", "0"]);
    assert_eq!(labels(&answer(id, "1.0.0", "seven_csv")), ["7"]);
}

#[test]
fn sentiments_are_told_apart() {
    let id = "jax-textclassification-sentiment";
    assert_eq!(labels(&answer(id, "1.0.0", "positive")), ["positive"]);
    assert_eq!(labels(&answer(id, "1.0.0", "negative")), ["negative"]);
    assert_eq!(labels(&answer(id, "1.0.0", "several")), ["positive", "negative", "neutral"]);
}

#[test]
fn embeddings_of_one_purpose_lie_close_together() {
    let model = load("jax-sentenceembedding-support");
    let got = ask_json(
        &model,
        &json!({"inputs": ["where is my parcel, my order is late", "has my chair been shipped", "when do you close"]}),
    );
    let vectors: Vec<Vec<f64>> = serde_json::from_value(got["embedding"].clone()).unwrap();
    let dot = |left: usize, right: usize| vectors[left].iter().zip(&vectors[right]).map(|(a, b)| a * b).sum::<f64>();
    assert!((dot(0, 0) - 1.0).abs() < 1e-3, "{}", dot(0, 0));
    assert!(dot(0, 1) > dot(0, 2) + 0.3, "{} {}", dot(0, 1), dot(0, 2));
    let one = answer("jax-sentenceembedding-support", "1.0.0", "one_sentence");
    assert_eq!(one["embedding"].as_array().unwrap().len(), 32);
}

/// The words of the training grammar, as far as the prompt and the text can show them: plain lower-case English.
fn plausible(text: &str, known: &[&str]) {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    assert!(words.len() >= 12, "too short: {text}");
    assert!(words.iter().all(|word| word.chars().all(|c| c.is_ascii_alphabetic() || c == '-')), "{text}");
    let hits = words.iter().filter(|word| known.contains(&word.as_str())).count();
    assert!(hits * 3 >= words.len(), "{hits} of {} words are known: {text}", words.len());
    let distinct: BTreeSet<&String> = words.iter().collect();
    assert!(distinct.len() * 5 >= words.len() * 2, "it repeats itself: {text}");
}

const STORY_WORDS: [&str; 40] = [
    "a",
    "the",
    "and",
    "in",
    "of",
    "had",
    "that",
    "one",
    "lived",
    "small",
    "house",
    "village",
    "she",
    "he",
    "her",
    "his",
    "him",
    "everywhere",
    "followed",
    "at",
    "to",
    "was",
    "it",
    "for",
    "with",
    "but",
    "by",
    "they",
    "old",
    "on",
    "morning",
    "evening",
    "day",
    "work",
    "door",
    "together",
    "who",
    "from",
    "said",
    "not",
];
const NOTE_WORDS: [&str; 34] = [
    "the", "wind", "is", "light", "from", "and", "sea", "sky", "high", "water", "at", "in", "with", "berth", "lies",
    "arrived", "harbour", "master", "signed", "small", "boats", "may", "of", "for", "clear", "evening", "tide", "on",
    "north", "south", "east", "west", "calm", "will",
];

#[test]
fn the_generators_write_plain_english_of_their_world() {
    for (id, alias, words) in [
        ("stoa-textgeneration-tiny", "story", &STORY_WORDS[..]),
        ("stoa-textgeneration-tiny", "sampled_story", &STORY_WORDS[..]),
        ("stoa-textgeneration-gated", "note", &NOTE_WORDS[..]),
        ("stoa-textgeneration-gated", "sampled_note", &NOTE_WORDS[..]),
    ] {
        let got = answer(id, "1.0.0", alias);
        assert_eq!(got.as_array().unwrap().len(), 1);
        plausible(got[0]["generated_text"].as_str().unwrap(), words);
        assert_eq!(got, answer(id, "1.0.0", alias), "the same question must have the same answer");
    }
}

#[test]
fn generation_obeys_its_parameters() {
    let model = load("stoa-textgeneration-tiny");
    let text = |parameters: Value| {
        let got = ask_json(&model, &json!({"inputs": "Mira the miller lived", "parameters": parameters}));
        got[0]["generated_text"].as_str().unwrap().to_owned()
    };
    let long = text(json!({"max_new_tokens": 40}));
    let short = text(json!({"max_new_tokens": 5}));
    assert!(long.starts_with(&short) && short.len() < long.len(), "{short} / {long}");
    assert_eq!(text(json!({"max_new_tokens": 5, "return_full_text": true})), format!("Mira the miller lived{short}"));
    let word = long.split_whitespace().nth(3).unwrap();
    let stopped = text(json!({"max_new_tokens": 40, "stop": [word]}));
    assert!(long.starts_with(&stopped) && !stopped.contains(word), "{stopped} / {word}");
    let sampled = |seed: u64| {
        text(json!({"max_new_tokens": 40, "do_sample": true, "temperature": 1.5, "top_k": 0, "seed": seed}))
    };
    assert_eq!(sampled(1), sampled(1));
    assert_ne!(sampled(1), sampled(2));
    // Far more than a story: it ends by itself, at the end token or at the end of its context.
    assert!(text(json!({"max_new_tokens": 4096})).len() < 2000);
    for parameters in [
        json!({"max_new_tokens": 0}),
        json!({"max_new_tokens": "many"}),
        json!({"temperature": 0}),
        json!({"top_p": 1.5}),
        json!({"colour": "blue"}),
        json!([]),
    ] {
        refused(&model, "application/json", json!({"inputs": "Mira", "parameters": parameters}).to_string());
    }
    assert!(refused(&model, "application/json", json!({"inputs": "goat ".repeat(500)}).to_string()).contains("tokens"));
}

#[test]
fn rows_are_read_in_every_form() {
    let model = load("sklearn-tabularclassification-iris");
    let bodies = [
        json!({"instances": [{"sepal_length": 6.7, "sepal_width": 3.1, "petal_length": 5.6, "petal_width": 2.4}]}),
        json!({"instances": [{"features": [6.7, 3.1, 5.6, 2.4]}]}),
        json!({"instances": [[6.7, 3.1, 5.6, 2.4]]}),
        json!({"sepal_length": 6.7, "sepal_width": 3.1, "petal_length": 5.6, "petal_width": 2.4}),
        json!([[6.7, 3.1, 5.6, 2.4]]),
        json!([6.7, 3.1, 5.6, 2.4]),
        json!({"instances": ["6.7 3.1 5.6 2.4"]}),
    ];
    let expected = ask_json(&model, &bodies[0]);
    assert_eq!(labels(&expected), ["virginica"]);
    for body in &bodies {
        assert_eq!(ask_json(&model, body), expected, "{body}");
    }
    let csv = "sepal_length,sepal_width,petal_length,petal_width\n6.7,3.1,5.6,2.4\n5.1,3.5,1.4,0.2\n";
    let answer = ask(&model, "text/csv", "text/csv", csv).unwrap();
    let lines = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.content_type, "text/csv");
    assert!(
        lines.lines().next().unwrap().starts_with("virginica,0.")
            && lines.lines().nth(1).unwrap().starts_with("setosa,0."),
        "{lines}"
    );
}

#[test]
fn npy_goes_in_and_out() {
    let model = Predictor::load(&artifact("sklearn-tabularclassification-iris", "1.1.0")).unwrap();
    let mut body = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
    body.extend_from_slice(
        format!("{:<69}\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), }").as_bytes(),
    );
    for value in [6.7_f64, 3.1, 5.6, 2.4, 5.1, 3.5, 1.4, 0.2] {
        body.extend_from_slice(&value.to_le_bytes());
    }
    let got: Value = serde_json::from_slice(&ask(&model, "application/x-npy", "*/*", &body).unwrap().body).unwrap();
    assert_eq!(labels(&got), ["virginica", "setosa"]);
    let array = ask(&model, "application/x-npy", "application/x-npy", &body).unwrap();
    assert_eq!(array.content_type, "application/x-npy");
    let head = String::from_utf8_lossy(&array.body[10..70]).into_owned();
    assert!(head.contains("'<f4'") && head.contains("(2, 3)"), "{head}");
    let floats: Vec<f32> = array.body[array.body.len() - 24..]
        .chunks(4)
        .map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap()))
        .collect();
    assert!((floats[0] + floats[1] + floats[2] - 1.0).abs() < 1e-4 && floats[2] > 0.5 && floats[3] > 0.9, "{floats:?}");
}

#[test]
fn bad_rows_are_the_callers_fault() {
    let model = load("sklearn-tabularclassification-iris");
    for body in [
        "{",
        "{}",
        "[]",
        "{\"instances\": []}",
        "[[1, 2]]",
        "[\"a b c d\"]",
        "null",
        "[{\"sepal_length\": 1}]",
        "[{\"colour\": 1}]",
    ] {
        refused(&model, "application/json", body);
    }
    refused(&model, "text/csv", "1,2,3");
    refused(&model, "text/csv", "1,2,3,x");
    refused(&model, "application/x-npy", "nothing");
    let nested = "[".repeat(2_000_000);
    refused(&model, "application/json", nested);
    assert!(ask(&model, "application/x-text", "*/*", "words").is_err());
    let digits = load("jax-imageclassification-digits");
    assert!(refused(&digits, "application/json", "{\"instances\": [{\"rows\": [\"0 0 5\"]}]}").contains("takes 64"));
    refused(&digits, "application/json", "{\"instances\": [{\"ink\": 1}]}");
    let texts = load("jax-textclassification-sentiment");
    for body in ["{\"inputs\": 5}", "{\"inputs\": []}", "{\"inputs\": [1]}", "{\"text\": null}", "{}"] {
        refused(&texts, "application/json", body);
    }
}

#[test]
fn texts_are_read_in_every_form() {
    let model = load("jax-textclassification-sentiment");
    let text = "What a great concert!";
    let expected = ask_json(&model, &json!({"inputs": text}));
    for (kind, body) in [
        ("application/x-text", text.to_owned()),
        ("text/csv", format!("\"{text}\"\n")),
        ("application/json", json!(text).to_string()),
    ] {
        let answer = ask(&model, kind, "*/*", body).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), expected, "{kind}");
    }
    let all = ask_json(&model, &json!({"inputs": [text, "It opens at nine."], "parameters": {"top_k": 3}}));
    assert_eq!(all.as_array().unwrap().len(), 2);
    let scores: Vec<f64> = all[0].as_array().unwrap().iter().map(|entry| entry["score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 3 && scores.is_sorted_by(|a, b| a >= b) && (scores.iter().sum::<f64>() - 1.0).abs() < 1e-3);
    // Words in another script, and far too many words, are read all the same.
    ask_json(&model, &json!({"inputs": "это прекрасно 🎉"}));
    ask_json(&model, &json!({"inputs": "great ".repeat(5000)}));
    ask_json(&model, &json!({"inputs": ""}));
}
