//! Unit tests of the parts that read untrusted bytes: npy, tensors, media types, settings, model folders.

use std::path::Path;

use serde_json::json;

use crate::{
    config::{ContainerConfig, Listen},
    error::PredictError,
    media::{Accept, ContentType, parse_csv},
    model_config::{ModelConfig, find_model_file},
    npy,
    tensor::{Data, Element, Tensor, float_json, numbers_in},
};

fn npy_bytes(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY".to_vec();
    out.extend_from_slice(&[version, 0]);
    if version == 1 {
        out.extend_from_slice(&u16::try_from(header.len()).unwrap().to_le_bytes());
    } else {
        out.extend_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
    }
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(data);
    out
}

#[test]
fn npy_reads_what_it_writes() {
    for tensor in [
        Tensor::new(vec![2, 3], Data::F32(vec![1.0, -2.5, 3.0, 0.0, 1e-9, f32::MAX])).unwrap(),
        Tensor::new(vec![3], Data::I32(vec![1, -2, i32::MAX])).unwrap(),
        Tensor::new(vec![], Data::U8(vec![255])).unwrap(),
        Tensor::new(vec![0, 4], Data::I8(vec![])).unwrap(),
    ] {
        let bytes = npy::write(&tensor);
        assert_eq!(npy::read(&bytes).unwrap(), tensor);
        // NumPy wants the data aligned.
        assert_eq!((bytes.len() - data_len(&tensor)) % 64, 0);
    }
}

fn data_len(tensor: &Tensor) -> usize {
    match tensor.data() {
        Data::F32(data) => 4 * data.len(),
        Data::I32(data) => 4 * data.len(),
        Data::I8(data) => data.len(),
        Data::U8(data) => data.len(),
    }
}

#[test]
fn npy_reads_other_widths_byte_orders_and_column_major_arrays() {
    let doubles: Vec<u8> = [1.5_f64, 2.0].iter().flat_map(|value| value.to_be_bytes()).collect();
    let header = "{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }\n";
    assert_eq!(npy::read(&npy_bytes(2, header, &doubles)).unwrap().floats(), Some(&[1.5, 2.0][..]));
    // [[1, 2, 3], [4, 5, 6]] stored by columns.
    let columns: Vec<u8> = [1_i64, 4, 2, 5, 3, 6].iter().flat_map(|value| value.to_le_bytes()).collect();
    let header = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 3), }\n";
    let read = npy::read(&npy_bytes(1, header, &columns)).unwrap();
    assert_eq!(read, Tensor::new(vec![2, 3], Data::I32(vec![1, 2, 3, 4, 5, 6])).unwrap());
}

#[test]
fn npy_refuses_what_it_cannot_hold() {
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
    for bytes in [
        b"".to_vec(),
        b"PK\x03\x04".to_vec(),
        b"\x93NUMPY\x01\x00\xff\xff".to_vec(),
        npy_bytes(1, good, &[0; 7]),
        npy_bytes(1, good, &[0; 12]),
        npy_bytes(1, "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", &[0; 8]),
        npy_bytes(1, "{'descr': '<f4', 'shape': (2,), }", &[0; 8]),
        npy_bytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", &[0; 8]),
        npy_bytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", &[0; 8]),
        npy_bytes(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }", &i64::MAX.to_le_bytes()),
    ] {
        assert!(matches!(npy::read(&bytes), Err(PredictError::BadInput(_))), "{bytes:?}");
    }
}

#[test]
fn json_tensors_are_rectangular_and_of_the_right_type() {
    let tensor = Tensor::from_json(&json!([[1, 2.5], [3, true]]), Element::F32).unwrap();
    assert_eq!(tensor, Tensor::new(vec![2, 2], Data::F32(vec![1.0, 2.5, 3.0, 1.0])).unwrap());
    assert_eq!(tensor.to_json(), json!([[1.0, 2.5], [3.0, 1.0]]));
    for (value, element) in [
        (json!([[1, 2], [3]]), Element::F32),
        (json!([[1, 2], 3]), Element::F32),
        (json!([1, "2"]), Element::F32),
        (json!([null]), Element::F32),
        (json!({"a": 1}), Element::F32),
        (json!([1.5]), Element::I32),
        (json!([300]), Element::U8),
        (json!([1e300]), Element::F32),
        (json!([3_000_000_000_i64]), Element::I32),
    ] {
        assert!(matches!(Tensor::from_json(&value, element), Err(PredictError::BadInput(_))), "{value}");
    }
}

#[test]
fn floats_are_written_with_their_own_digits() {
    assert_eq!(float_json(0.1).to_string(), "0.1");
    assert_eq!(float_json(f32::NAN), json!(null));
    assert_eq!(numbers_in("1, 2;3\n-4.5").unwrap(), [1.0, 2.0, 3.0, -4.5]);
    assert!(numbers_in("1 two").is_err());
}

#[test]
fn content_types_are_told_apart() {
    assert_eq!(ContentType::parse(None).unwrap(), ContentType::Json);
    assert_eq!(ContentType::parse(Some("Text/CSV; charset=utf-8")).unwrap(), ContentType::Csv);
    assert_eq!(ContentType::parse(Some("application/x-npy")).unwrap(), ContentType::Npy);
    assert!(
        matches!(ContentType::parse(Some("image/png")), Err(PredictError::UnsupportedContentType(kind)) if kind == "image/png")
    );
}

#[test]
fn accept_follows_weights_and_the_models_own_order() {
    let offered = [ContentType::Json, ContentType::Csv];
    let choose = |header| Accept::parse(header).choose(&offered);
    assert_eq!(choose(None).unwrap(), ContentType::Json);
    assert_eq!(choose(Some("*/*")).unwrap(), ContentType::Json);
    assert_eq!(choose(Some("text/*")).unwrap(), ContentType::Csv);
    assert_eq!(choose(Some("application/json;q=0.2, text/csv")).unwrap(), ContentType::Csv);
    assert_eq!(choose(Some("image/png, */*;q=0.1")).unwrap(), ContentType::Json);
    assert!(matches!(choose(Some("image/png")), Err(PredictError::NotAcceptable(_))));
    assert!(matches!(choose(Some("text/csv;q=0, image/png")), Err(PredictError::NotAcceptable(_))));
}

#[test]
fn csv_keeps_quoted_commas_and_refuses_nothing_at_all() {
    assert_eq!(parse_csv(b"\"a, b\",2\n\n c ,d,e\n").unwrap(), [vec!["a, b", "2"], vec!["c", "d", "e"]]);
    assert!(parse_csv(b"\n").is_err());
    assert!(parse_csv(b"\xff\xfe").is_err());
}

#[test]
fn settings_come_from_the_environment() {
    let from = |pairs: &'static [(&str, &str)]| {
        ContainerConfig::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let config = from(&[]).unwrap();
    assert_eq!(config.model_dir, Path::new("/opt/ml/model"));
    assert_eq!(config.listen, Listen::Tcp(([0, 0, 0, 0], 8080).into()));
    assert!(config.max_body_bytes >= 6 * 1024 * 1024);
    let config = from(&[("STOA_MODEL_DIR", "/m"), ("STOA_BIND_UNIX", "/s"), ("SAGEMAKER_BIND_TO_PORT", "")]).unwrap();
    assert_eq!((config.model_dir.as_path(), config.listen), (Path::new("/m"), Listen::Unix("/s".into())));
    assert_eq!(from(&[("SAGEMAKER_BIND_TO_PORT", "81")]).unwrap().listen, Listen::Tcp(([0, 0, 0, 0], 81).into()));
    assert!(from(&[("SAGEMAKER_BIND_TO_PORT", "eighty")]).is_err());
    assert!(from(&[("SAGEMAKER_BIND_TO_PORT", "70000")]).is_err());
}

#[test]
fn a_model_folder_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let reason = || find_model_file(folder.path()).unwrap_err().to_string();
    assert!(ModelConfig::read(folder.path()).unwrap().is_none());
    assert!(reason().contains("no .onnx file"));
    write("model.tar.gz", "");
    assert!(reason().contains("nobody unpacked"));
    write("a.onnx", "");
    assert!(find_model_file(folder.path()).unwrap().ends_with("a.onnx"));
    write("b.onnx", "");
    assert!(reason().contains("several"));
    write("config.json", r#"{"model_type": "bert"}"#);
    assert!(ModelConfig::read(folder.path()).unwrap().is_none());
    write("config.json", r#"{"task": "mind-reading"}"#);
    assert!(ModelConfig::read(folder.path()).unwrap_err().to_string().contains("mind-reading"));
    write("config.json", "{");
    assert!(ModelConfig::read(folder.path()).is_err());
}
