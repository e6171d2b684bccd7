//! Importing Hugging Face repositories from disk, and what a hub then says of them as repositories.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use stoa_kernel::ports::HubRepositories;
use stoa_models_sagemaker::operations::DescribeHubContent;
use stoa_models_sagemaker::types::{DescribeHubContentRequest, HubContentType};
use stoa_sagemaker_hub::HuggingFaceImport;

use crate::support::*;

const ID: &str = "huggingface-textgeneration-tiny";
const README: &str = "---\nlicense: apache-2.0\nlanguage: [en, de]\ntags:\n- tiny\npipeline_tag: text-generation\n\
                      library_name: transformers\nbase_model: org/base\n---\n# Tiny\n\nIt says little.\n";

fn safetensors(tensors: &Json, data: usize) -> Vec<u8> {
    let header = tensors.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

fn shard(name: &str, dtype: &str, shape: &[u64], bytes: usize) -> Vec<u8> {
    let tensor = json!({ "dtype": dtype, "shape": shape, "data_offsets": [0, bytes] });
    safetensors(&json!({ "__metadata__": { "format": "pt" }, name: tensor }), bytes)
}

/// A repository as `snapshot_download(local_dir=...)` leaves it.
fn repository(world: &World) -> PathBuf {
    let folder = world.folder.path().join("repository");
    std::fs::create_dir_all(folder.join("onnx")).unwrap();
    std::fs::create_dir_all(folder.join(".cache/huggingface")).unwrap();
    std::fs::write(folder.join(".cache/huggingface/x"), "not a file of the repository").unwrap();
    std::fs::write(folder.join("README.md"), README).unwrap();
    std::fs::write(folder.join("config.json"), r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}"#)
        .unwrap();
    std::fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    std::fs::write(folder.join("onnx/model.onnx"), "graph").unwrap();
    std::fs::write(folder.join("model-1.safetensors"), shard("a", "F32", &[2, 3], 24)).unwrap();
    std::fs::write(folder.join("model-2.safetensors"), shard("b", "BF16", &[10], 20)).unwrap();
    let index = json!({ "weight_map": { "a": "model-1.safetensors", "b": "model-2.safetensors" } });
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    // The same weights once more, which are not counted twice.
    std::fs::write(folder.join("consolidated.safetensors"), shard("c", "F32", &[100], 400)).unwrap();
    folder
}

fn asked(path: &Path) -> HuggingFaceImport {
    HuggingFaceImport {
        path: path.to_owned(),
        id: ID.to_owned(),
        version: None,
        repository: Some("org/tiny".to_owned()),
        revision: None,
        display_name: None,
        description: None,
        task: None,
        provider: None,
        licence: None,
        image: None,
        instance_types: Vec::new(),
        eula: None,
        ungated: false,
    }
}

async fn import_refused(world: &World, asked: HuggingFaceImport, words: &[&str]) {
    let result = world.catalog.import_huggingface(asked).await;
    refused(result, "ValidationException", words);
    assert!(world.catalog.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repository_becomes_a_model_with_all_that_it_says() {
    let world = empty_world();
    let folder = repository(&world);
    let done = world.catalog.import_huggingface(asked(&folder)).await.unwrap();
    assert_eq!((done.imported.imported.len(), done.warnings), (1, Vec::<String>::new()));
    let listed = &world.catalog.list().await.unwrap()[0];
    assert_eq!((listed.task.as_str(), listed.framework.as_str()), ("Text Generation", "huggingface"));
    assert_eq!(listed.files.len(), 8, "{:?}", listed.files.keys());
    assert!(!listed.files.keys().any(|path| path.contains("cache")));
    let input = DescribeHubContentRequest {
        hub_name: PUBLIC_HUB.to_owned(),
        hub_content_type: HubContentType::Model,
        hub_content_name: ID.to_owned(),
        hub_content_version: None,
    };
    let described = world.call::<DescribeHubContent>(&world.admin(), input).await.unwrap();
    assert_eq!(described.hub_content_display_name.as_deref(), Some("tiny"));
    assert_eq!(described.hub_content_description.as_deref(), Some("It says little."));
    assert!(described.hub_content_markdown.unwrap().starts_with("# Tiny"));
    let keywords = described.hub_content_search_keywords.unwrap();
    for word in ["@task:text-generation", "@framework:huggingface", "@provider:org", "tiny", "@language:de", "llama"] {
        assert!(keywords.iter().any(|keyword| keyword == word), "{word} in {keywords:?}");
    }
    let document: Json = serde_json::from_str(&described.hub_content_document).unwrap();
    assert_eq!((&document["License"], &document["Task"]), (&json!("apache-2.0"), &json!("Text Generation")));
    let origin = &document["HuggingFace"];
    assert_eq!((&origin["Repository"], &origin["ParameterCount"]), (&json!("org/tiny"), &json!(16)));
    assert_eq!(origin["Architectures"], json!(["LlamaForCausalLM"]));
    assert_eq!(document["DefaultInferenceInstanceType"], "ml.m5.large");
    // The same again changes nothing.
    let again = world.catalog.import_huggingface(asked(&folder)).await.unwrap();
    assert_eq!(again.imported.unchanged.len(), 1);
}

#[tokio::test]
async fn a_hub_shows_it_as_the_repository_it_was() {
    let world = empty_world();
    world.catalog.import_huggingface(asked(&repository(&world))).await.unwrap();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", ID).await;
    let hub = arn("hub/h");
    let content = world.hubs.repository(&hub, "org/tiny").await.unwrap().unwrap();
    assert_eq!((content.kind.as_str(), content.name.as_str()), ("ModelReference", ID));
    assert_eq!(world.hubs.repository(&hub, ID).await.unwrap().unwrap(), content);
    assert_eq!(world.hubs.repository(&hub, "org/other").await.unwrap(), None);
    let public = format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}");
    assert_eq!(world.hubs.repository(&public, "org/tiny").await.unwrap().unwrap().kind, "Model");
    let main = world.hubs.revision(&admin, &hub, &content, "main").await.unwrap().unwrap();
    let by_commit = world.hubs.revision(&admin, &hub, &content, &main.commit).await.unwrap().unwrap();
    let by_version = world.hubs.revision(&admin, &hub, &content, "1.0.0").await.unwrap().unwrap();
    assert_eq!((&by_commit, &by_version), (&main, &main));
    assert_eq!(world.hubs.revision(&admin, &hub, &content, &"0".repeat(40)).await.unwrap(), None);
    let readme = main.files.iter().find(|file| file.path == "README.md").unwrap();
    assert_eq!((readme.size, &readme.inline), (README.len() as u64, &None), "its own, front matter and all");
    assert_eq!(main.card.repository, "org/tiny");
    assert_eq!(main.card.card_data["license"], "apache-2.0");
    assert_eq!(main.card.parameters, [("BF16".to_owned(), 10), ("F32".to_owned(), 6)]);
    for tag in ["tiny", "transformers", "license:apache-2.0", "base_model:org/base", "en"] {
        assert!(main.card.tags.iter().any(|found| found == tag), "{tag} in {:?}", main.card.tags);
    }
}

#[tokio::test]
async fn a_cache_is_read_through_its_links() {
    let world = empty_world();
    let plain = repository(&world);
    let cache = world.folder.path().join("hub/models--org--tiny");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let snapshot = cache.join("snapshots").join(commit);
    for folder in [cache.join("blobs"), cache.join("refs"), snapshot.join("onnx")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(cache.join("refs/main"), commit).unwrap();
    for (number, path) in ["README.md", "config.json", "onnx/model.onnx"].iter().enumerate() {
        let blob = cache.join("blobs").join(format!("blob{number}"));
        std::fs::copy(plain.join(path), &blob).unwrap();
        symlink(&blob, snapshot.join(path)).unwrap();
    }
    let of_cache = HuggingFaceImport { repository: None, ..asked(&cache) };
    world.catalog.import_huggingface(of_cache.clone()).await.unwrap();
    let public = format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}");
    assert!(world.hubs.repository(&public, "org/tiny").await.unwrap().is_some(), "the folder's name says whose it is");
    let again =
        world.catalog.import_huggingface(HuggingFaceImport { path: snapshot.clone(), ..of_cache.clone() }).await;
    assert_eq!(again.unwrap().imported.unchanged.len(), 1);
    let world = empty_world();
    import_refused(
        &world,
        HuggingFaceImport { revision: Some("v9".to_owned()), ..of_cache.clone() },
        &["v9", "--revision"],
    )
    .await;
    let climbing = HuggingFaceImport { revision: Some("../../x".to_owned()), ..of_cache.clone() };
    import_refused(&world, climbing, &["--revision"]).await;
    let secret = world.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    for target in
        [secret.as_path(), Path::new("/etc/passwd"), cache.join("refs/main").as_path(), cache.join("blobs").as_path()]
    {
        let leak = snapshot.join("leak");
        symlink(target, &leak).unwrap();
        import_refused(&world, of_cache.clone(), &["leak", "leads out"]).await;
        std::fs::remove_file(&leak).unwrap();
    }
    let outside = repository(&world);
    symlink(&secret, outside.join("leak")).unwrap();
    import_refused(&world, asked(&outside), &["leak", "links are not followed"]).await;
}

#[tokio::test]
async fn what_a_repository_does_not_say_is_asked_for_all_at_once() {
    let world = empty_world();
    let folder = repository(&world);
    std::fs::write(folder.join("README.md"), "# No front matter\n").unwrap();
    let nothing = HuggingFaceImport { repository: None, ..asked(&folder) };
    import_refused(&world, nothing.clone(), &["task", "licence", "provider", "3 problems"]).await;
    let said = HuggingFaceImport {
        task: Some("Text Generation".to_owned()),
        licence: Some("MIT".to_owned()),
        provider: Some("Acme".to_owned()),
        ..nothing
    };
    import_refused(&world, HuggingFaceImport { id: "two-parts".to_owned(), ..said.clone() }, &["three parts"]).await;
    import_refused(&world, HuggingFaceImport { version: Some("1".to_owned()), ..said.clone() }, &["version"]).await;
    let bad = HuggingFaceImport { repository: Some("../x".to_owned()), ..said.clone() };
    import_refused(&world, bad, &["huggingface.repository"]).await;
    std::fs::remove_file(folder.join("README.md")).unwrap();
    import_refused(&world, said.clone(), &["README.md"]).await;
    std::fs::write(folder.join("README.md"), "---\n[\n---\n").unwrap();
    import_refused(&world, said.clone(), &["README.md", "front matter"]).await;
    std::fs::write(folder.join("README.md"), "card").unwrap();
    std::fs::remove_file(folder.join("onnx/model.onnx")).unwrap();
    std::fs::write(folder.join("pytorch_model.bin"), "pickle").unwrap();
    let done = world.catalog.import_huggingface(said).await.unwrap();
    assert_eq!(done.warnings.len(), 2, "{:?}", done.warnings);
}

#[tokio::test]
async fn a_repository_that_is_gated_is_not_made_free_by_omission() {
    let world = empty_world();
    let folder = repository(&world);
    let gated = README.replace("tags:", "extra_gated_prompt: Read the licence\ntags:");
    std::fs::write(folder.join("README.md"), gated).unwrap();
    import_refused(&world, asked(&folder), &["gated", "--eula"]).await;
    let eula = world.folder.path().join("eula");
    std::fs::write(&eula, " ").unwrap();
    let with = HuggingFaceImport { eula: Some(eula.clone()), ..asked(&folder) };
    import_refused(&world, with.clone(), &["eula is empty"]).await;
    std::fs::write(&eula, "terms").unwrap();
    world.catalog.import_huggingface(with).await.unwrap();
    assert!(world.catalog.list().await.unwrap()[0].gated);
    let free = HuggingFaceImport { version: Some("1.1.0".to_owned()), ungated: true, ..asked(&folder) };
    world.catalog.import_huggingface(free).await.unwrap();
}

#[tokio::test]
async fn weights_that_are_none_are_refused_by_name() {
    let world = empty_world();
    let folder = repository(&world);
    let path = folder.join("model-2.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let tensor = |offsets: [u64; 2]| json!({ "t": { "dtype": "F32", "shape": [1], "data_offsets": offsets } });
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "no safetensors file"),
        (b"short".to_vec(), "no safetensors file"),
        (u64::MAX.to_le_bytes().to_vec(), "a header of"),
        ([&100_u64.to_le_bytes()[..], b"{}"].concat(), "a header of"),
        ([&2_u64.to_le_bytes()[..], b"[]"].concat(), "header"),
        (whole[..whole.len() - 1].to_vec(), "cut off"),
        ([&whole[..], b"more"].concat(), "belong to no tensor"),
        (safetensors(&tensor([4, 0]), 4), "outside of the file"),
        (safetensors(&tensor([0, u64::MAX]), 4), "outside of the file"),
        (safetensors(&json!({ "t": { "dtype": "F32" } }), 0), "the tensor t"),
    ];
    for (bytes, word) in cases {
        std::fs::write(&path, bytes).unwrap();
        import_refused(&world, asked(&folder), &["model-2.safetensors", word]).await;
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::rename(&path, folder.join("elsewhere.safetensors")).unwrap();
    import_refused(&world, asked(&folder), &["index", "model-2.safetensors is not there"]).await;
    std::fs::write(folder.join("config.json"), "{").unwrap();
    import_refused(&world, asked(&folder), &["config.json", "2 problems"]).await;
}

#[tokio::test]
async fn what_is_refused_of_folders_is_refused_of_repositories() {
    let world = empty_world();
    let folder = repository(&world);
    // Each quotation mark is two characters of JSON.
    let tags: Vec<String> = (0..1000).map(|number| format!("'{number}{}'", "\"".repeat(180))).collect();
    std::fs::write(folder.join("README.md"), README.replace("- tiny", &format!("- {}", tags.join("\n- ")))).unwrap();
    import_refused(&world, asked(&folder), &["hub document", "327680 are allowed", "1 problem:"]).await;
}

#[tokio::test]
async fn a_repository_belongs_to_the_model_that_came_first() {
    let world = empty_world();
    let folder = repository(&world);
    world.catalog.import_huggingface(asked(&folder)).await.unwrap();
    let other = HuggingFaceImport { id: "acme-textgeneration-tiny".to_owned(), ..asked(&folder) };
    let refusal = world.catalog.import_huggingface(other).await;
    refused(refusal, "ValidationException", &["acme-textgeneration-tiny 1.0.0", "org/tiny", &format!("is {ID}'s")]);
    let next = HuggingFaceImport { version: Some("1.1.0".to_owned()), ..asked(&folder) };
    assert_eq!(world.catalog.import_huggingface(next).await.unwrap().imported.imported.len(), 1);
}

#[tokio::test]
async fn a_repository_read_again_takes_no_mark_away() {
    let world = empty_world();
    let folder = repository(&world);
    world.catalog.import_huggingface(asked(&folder)).await.unwrap();
    let key = stoa_store::Key {
        kind: "sagemaker:public-model",
        account: stoa_types::AccountId::aws(),
        region: None,
        id: format!("{ID}/1.0.0"),
    };
    let stored = world.store.get(&key).await.unwrap().unwrap();
    let mut body: Json = stored.decode().unwrap();
    body["manifest"]["vulnerabilities"] = json!(["CVE-2026-0001"]);
    let marked = stored.with_body(stoa_types::Clock::now(&*world.clock), &body).unwrap();
    world.store.commit(stoa_store::Transaction::new().update(marked)).await.unwrap();
    let again = world.catalog.import_huggingface(asked(&folder)).await.unwrap();
    assert_eq!((again.imported.unchanged.len(), again.imported.marked.len()), (1, 0));
    assert_eq!(world.catalog.list().await.unwrap()[0].vulnerabilities, ["CVE-2026-0001"]);
}

#[tokio::test]
async fn broken_front_matter_is_the_only_thing_told() {
    let world = empty_world();
    let folder = repository(&world);
    std::fs::write(folder.join("README.md"), "---\nlicense: [\n---\n# Tiny\n").unwrap();
    let result = world.catalog.import_huggingface(asked(&folder)).await;
    let (_, message) = refusal(result);
    assert!(message.contains("1 problem:") && message.contains("front matter"), "{message}");
}

#[tokio::test]
async fn a_repository_that_is_too_large_asks_for_an_instance_type() {
    let world = empty_world();
    let folder = repository(&world);
    // Sparse: it takes no room on this disk. It is never read, because it is refused before.
    let file = std::fs::File::create(folder.join("weights.gguf")).unwrap();
    file.set_len(400 << 30).unwrap();
    let memory = "no ml.m5 type has 492033 MB: name one with --instance-type";
    import_refused(&world, asked(&folder), &["1 problem:", memory]).await;
    file.set_len(0).unwrap();
    assert!(world.catalog.import_huggingface(asked(&folder)).await.is_ok());
}

#[tokio::test]
async fn keywords_are_those_that_a_hub_takes() {
    let world = empty_world();
    let folder = repository(&world);
    let language = "x".repeat(250);
    std::fs::write(folder.join("README.md"), README.replace("[en, de]", &format!("[en, {language}]"))).unwrap();
    world.catalog.import_huggingface(asked(&folder)).await.unwrap();
    let input = DescribeHubContentRequest {
        hub_name: PUBLIC_HUB.to_owned(),
        hub_content_type: HubContentType::Model,
        hub_content_name: ID.to_owned(),
        hub_content_version: None,
    };
    let described = world.call::<DescribeHubContent>(&world.admin(), input).await.unwrap();
    let keywords = described.hub_content_search_keywords.unwrap();
    assert!(keywords.contains(&"@language:en".to_owned()), "{keywords:?}");
    assert!(!keywords.iter().any(|keyword| keyword.contains(&language)));
    let document: Json = serde_json::from_str(&described.hub_content_document).unwrap();
    assert_eq!(document["HuggingFace"]["Languages"], json!(["en", language]), "the document has it still");
}
