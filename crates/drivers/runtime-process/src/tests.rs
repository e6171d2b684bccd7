//! What needs no container: folders that cannot be climbed out of, and the log's tail. The sandbox itself is judged by
//! the end-to-end tests, since only the built binary can be a container.

use std::collections::BTreeMap;
use std::fs;

use stoa_runtime::ContainerSpec;

use crate::folder::Folder;

fn spec(files: Vec<(String, std::path::PathBuf)>) -> ContainerSpec {
    ContainerSpec {
        name: "c".to_owned(),
        image: "inference".to_owned(),
        environment: BTreeMap::new(),
        model_files: files,
        memory_mib: 512,
        cpu_millis: 1000,
        network_isolation: true,
    }
}

#[test]
fn model_files_are_links_of_the_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join("blob");
    fs::write(&blob, "weights").unwrap();
    let folder = Folder::of(dir.path(), "c");
    folder.create(&spec(vec![("a/b/model.onnx".to_owned(), blob)])).unwrap();
    assert_eq!(fs::read_to_string(folder.model().join("a/b/model.onnx")).unwrap(), "weights");
    folder.remove().unwrap();
    folder.remove().unwrap();
    assert!(!folder.path().exists());
}

#[test]
fn a_model_file_cannot_climb() {
    let dir = tempfile::tempdir().unwrap();
    let blob = dir.path().join("blob");
    fs::write(&blob, "x").unwrap();
    for name in ["../x", "a/../../x", "", "/", "a/./b/../../../x"] {
        let folder = Folder::of(dir.path(), "c");
        assert!(folder.create(&spec(vec![(name.to_owned(), blob.clone())])).is_err(), "{name}");
        assert!(!dir.path().join("x").exists());
    }
}

#[test]
fn the_tail_is_the_end_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::of(dir.path(), "c");
    folder.create(&spec(Vec::new())).unwrap();
    fs::write(folder.log(), "one\ntwo\nthree\n").unwrap();
    assert_eq!(folder.tail(2).unwrap(), ["two", "three"]);
}

#[test]
fn two_files_of_one_name_do_not_overwrite_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    fs::write(&first, "first").unwrap();
    fs::write(&second, "second").unwrap();
    let folder = Folder::of(dir.path(), "c");
    let files = vec![("model".to_owned(), first.clone()), ("model".to_owned(), second.clone())];
    assert!(folder.create(&spec(files)).is_err());
    assert_eq!(fs::read_to_string(first).unwrap(), "first");
    assert_eq!(fs::read_to_string(second).unwrap(), "second");
}
