//! The life of endpoints: from creation to service, through updates, failures, restarts, to deletion.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use stoa_blob::{Digest, put_bytes};
use stoa_kernel::ports::{DeleteAccountData, ObjectEntry};
use stoa_models_sagemaker::operations::{
    CreateEndpoint, DeleteEndpoint, DeleteEndpointConfig, DeleteModel, UpdateEndpoint,
};
use stoa_models_sagemaker::types::{
    ContainerDefinition, CreateEndpointInput, DeleteEndpointConfigInput, DeleteEndpointInput, DeleteModelInput,
    DeploymentConfig, UpdateEndpointInput,
};
use stoa_runtime::ContainerState::{Healthy, Starting, Unhealthy};
use stoa_store::BlobName;

use crate::support::{ACCOUNT, World, arn, assert_refused, exited, image, tag, variant, with_data, world};

async fn delete(world: &World, name: &str) -> Result<stoa_schema::Empty, stoa_kernel::ApiError> {
    world.call::<DeleteEndpoint>(DeleteEndpointInput { endpoint_name: name.to_owned() }).await
}

async fn update(world: &World, name: &str, config: &str) -> Result<(), stoa_kernel::ApiError> {
    let (endpoint_name, endpoint_config_name) = (name.to_owned(), config.to_owned());
    let input = UpdateEndpointInput { endpoint_name, endpoint_config_name, ..Default::default() };
    world.call::<UpdateEndpoint>(input).await.map(|_| ())
}

async fn events(world: &World, name: &str) -> Vec<String> {
    let events = world.durable.store.outbox(0, 1000).await.unwrap();
    let of = events.into_iter().filter(|(_, event)| event.subject == arn(&format!("endpoint/{name}")));
    of.map(|(_, event)| event.body.split('"').nth(3).unwrap().to_owned()).collect()
}

fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    archive.append_data(&mut header, name, content).unwrap();
    let mut encoder = archive.into_inner().unwrap();
    encoder.flush().unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn from_creating_to_gone() {
    let world = world();
    world.creating("e", image()).await;
    assert_eq!(world.status("e").await, "Creating");
    world.settle().await;
    let container = world.runtime.only();
    assert_eq!(
        (&*container.spec.image, container.spec.memory_mib, container.spec.cpu_millis),
        ("program-of-image", 8192, 2000)
    );
    assert_eq!(world.status("e").await, "Creating", "it does not answer /ping yet");
    assert_refused(delete(&world, "e").await, "Cannot update in-progress endpoint");
    assert_refused(update(&world, "e", "e").await, "Cannot update in-progress endpoint");
    assert_refused(world.endpoint("e", "e").await, "Cannot create already existing endpoint");
    world.become_all(&Healthy).await;
    let described = world.describe("e").await.unwrap();
    assert_eq!(described.endpoint_status.to_string(), "InService");
    assert_eq!((described.endpoint_arn, described.endpoint_config_name.as_deref()), (arn("endpoint/e"), Some("e")));
    let variants = described.production_variants.unwrap();
    assert_eq!((&*variants[0].variant_name, variants[0].current_instance_count), ("AllTraffic", Some(1)));
    delete(&world, "e").await.unwrap();
    assert_eq!(world.status("e").await, "Deleting");
    delete(&world, "e").await.unwrap();
    assert_refused(update(&world, "e", "e").await, "Cannot update in-progress endpoint");
    world.settle().await;
    assert_eq!(world.runtime.names(), Vec::<String>::new());
    assert_refused(world.describe("e").await, "Could not find endpoint");
    assert_refused(delete(&world, "e").await, "Could not find endpoint");
    assert_eq!(events(&world, "e").await, ["Creating", "InService", "Deleting"]);
    world.endpoint("e", "e").await.unwrap();
}

#[tokio::test]
async fn endpoints_that_cannot_be_are_refused() {
    let world = world();
    assert_refused(world.endpoint("e", "nobody").await, "Could not find endpoint configuration");
    assert_refused(update(&world, "nobody", "c").await, "Could not find endpoint");
    world.model("m", image()).await.unwrap();
    world.config("c", vec![variant("v", "m")]).await.unwrap();
    let (endpoint_name, endpoint_config_name) = ("e".to_owned(), "c".to_owned());
    let mut input = CreateEndpointInput { endpoint_name, endpoint_config_name, ..Default::default() };
    input.deployment_config = Some(DeploymentConfig::default());
    assert_refused(world.call::<CreateEndpoint>(input.clone()).await, "DeploymentConfig is not implemented");
    input.deployment_config = None;
    input.tags = Some(vec![tag("aws:x", "")]);
    assert_refused(world.call::<CreateEndpoint>(input).await, "reserved");
    world.call::<DeleteModel>(DeleteModelInput { model_name: "m".to_owned() }).await.unwrap();
    assert_refused(world.endpoint("e", "c").await, "Could not find model");
}

#[tokio::test]
async fn a_container_that_ends_or_gives_up_fails_the_endpoint() {
    for (state, parts) in [
        (exited(3, "no model.onnx"), ["status 3", "no model.onnx"]),
        (Unhealthy { reason: "the graph is broken".to_owned() }, ["ping health check", "the graph is broken"]),
    ] {
        let world = world();
        world.creating("e", image()).await;
        world.become_all(&state).await;
        assert_eq!(world.status("e").await, "Failed");
        let reason = world.reason("e").await;
        assert!(parts.iter().all(|part| reason.contains(part)), "{reason}");
        assert_eq!(world.runtime.names(), Vec::<String>::new(), "nothing of it runs on");
        assert_eq!(*world.runtime.starts.lock(), 1, "and nothing is started again");
        assert_refused(update(&world, "e", "e").await, "Cannot update failed endpoint");
        delete(&world, "e").await.unwrap();
        world.settle().await;
        assert_refused(world.describe("e").await, "Could not find endpoint");
    }
}

#[tokio::test]
async fn a_container_that_takes_too_long_fails_the_endpoint() {
    let world = world();
    world.model("m", image()).await.unwrap();
    let mut slow = variant("Slow", "m");
    slow.container_startup_health_check_timeout_in_seconds = Some(60);
    world.config("c", vec![slow]).await.unwrap();
    world.endpoint("e", "c").await.unwrap();
    // An hour without a server does not count.
    world.durable.clock.advance_millis(3_600_000);
    world.settle().await;
    world.durable.clock.advance_millis(60_000);
    world.settle().await;
    assert_eq!(world.status("e").await, "Creating");
    world.durable.clock.advance_millis(1);
    world.settle().await;
    assert_eq!(world.status("e").await, "Failed");
    assert!(world.reason("e").await.contains("Slow did not pass the ping health check within 60 seconds"));
}

#[tokio::test]
async fn what_the_runtime_cannot_do_fails_the_endpoint() {
    let world = world();
    world.creating("e", ContainerDefinition { image: Some("unrunnable".to_owned()), ..Default::default() }).await;
    world.settle().await;
    assert_eq!(world.status("e").await, "Failed");
    assert!(world.reason("e").await.contains("cannot be run by this runtime"));
}

#[tokio::test]
async fn a_runtime_that_fails_is_tried_again_and_given_up_at_last() {
    let world = world();
    *world.runtime.broken.lock() = true;
    world.creating("soon", image()).await;
    for round in 0..3 {
        let report = world.pass().await;
        assert_eq!((report.changed, report.failed), (0, 1), "{round}");
        assert_eq!(world.pass().await.failed, 0, "not before the pause is over");
        world.durable.clock.advance_millis(60_000);
    }
    *world.runtime.broken.lock() = false;
    world.become_all(&Healthy).await;
    assert_eq!(world.status("soon").await, "InService");
    *world.runtime.broken.lock() = true;
    world.creating("never", image()).await;
    for _ in 0..6 {
        world.pass().await;
        world.durable.clock.advance_millis(60_000);
    }
    assert_eq!(world.status("never").await, "Failed");
    assert!(world.reason("never").await.contains("could not be started"));
    assert_eq!(world.status("soon").await, "InService");
}

#[tokio::test]
async fn a_container_that_keeps_ending_is_started_with_growing_pauses() {
    let world = world();
    world.in_service("e").await;
    let starts = || *world.runtime.starts.lock();
    world.runtime.all(&exited(137, "killed"));
    let (mut before, mut pauses) = (starts(), Vec::new());
    for _ in 0..4 {
        world.settle().await;
        let mut waited = 0;
        while starts() == before {
            let report = world.pass().await;
            if let Some(after) = report.again_after {
                assert!(after.as_millis() >= 10);
            }
            world.durable.clock.advance_millis(100);
            waited += 100;
            assert!(waited < 100_000);
        }
        pauses.push(waited / 1000);
        before = starts();
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
    assert_eq!(world.status("e").await, "InService");
    world.settle().await;
    let report = world.pass().await;
    assert_eq!((report.changed, report.failed), (0, 0));
    assert!(report.again_after.unwrap().as_secs() >= 15, "{report:?}: nobody looks every few milliseconds");
}

#[tokio::test]
async fn an_update_takes_over_when_it_is_healthy() {
    let world = world();
    world.in_service("e").await;
    let old = world.runtime.names();
    let mut two = variant("Two", "e");
    two.initial_instance_count = Some(2);
    world.config("two", vec![two]).await.unwrap();
    assert_refused(update(&world, "e", "nobody").await, "Could not find endpoint configuration");
    *world.runtime.next.lock() = Starting;
    update(&world, "e", "two").await.unwrap();
    world.settle().await;
    let described = world.describe("e").await.unwrap();
    assert_eq!(described.endpoint_status.to_string(), "Updating");
    assert_eq!(described.endpoint_config_name.as_deref(), Some("e"), "the old one serves");
    assert_eq!(world.runtime.names().len(), 3);
    world.become_all(&Healthy).await;
    let described = world.describe("e").await.unwrap();
    assert_eq!(described.endpoint_status.to_string(), "InService");
    assert_eq!(described.endpoint_config_name.as_deref(), Some("two"));
    let names = world.runtime.names();
    assert!(names.len() == 2 && !names.contains(&old[0]), "{old:?} {names:?}");
    assert_eq!(events(&world, "e").await, ["Creating", "InService", "Updating", "InService"]);
}

#[tokio::test]
async fn a_failed_update_rolls_back() {
    let world = world();
    world.in_service("e").await;
    let old = world.runtime.names();
    world.config("next", vec![variant("Next", "e")]).await.unwrap();
    *world.runtime.next.lock() = exited(1, "out of memory");
    update(&world, "e", "next").await.unwrap();
    world.settle().await;
    let described = world.describe("e").await.unwrap();
    assert_eq!(described.endpoint_status.to_string(), "InService");
    assert_eq!(described.endpoint_config_name.as_deref(), Some("e"));
    assert!(described.failure_reason.unwrap().contains("out of memory"));
    assert_eq!(world.runtime.names(), old);
    // A further update that works clears the reason.
    *world.runtime.next.lock() = Healthy;
    update(&world, "e", "next").await.unwrap();
    world.settle().await;
    assert_eq!((world.status("e").await.as_str(), world.reason("e").await.as_str()), ("InService", ""));
}

#[tokio::test]
async fn a_serving_deployment_that_cannot_start_does_not_hold_up_its_update() {
    let world = world();
    world.in_service("e").await;
    world.config("next", vec![variant("Next", "e")]).await.unwrap();
    let restarted = world.restarted();
    *restarted.runtime.broken.lock() = true;
    restarted.pass().await;
    *restarted.runtime.broken.lock() = false;
    update(&restarted, "e", "next").await.unwrap();
    restarted.become_all(&Healthy).await;
    let described = restarted.describe("e").await.unwrap();
    assert_eq!(described.endpoint_status.to_string(), "InService");
    assert_eq!(described.endpoint_config_name.as_deref(), Some("next"));
}

#[tokio::test]
async fn what_served_serves_again_after_a_restart_though_all_of_its_making_is_gone() {
    let before = world();
    before.durable.objects.put(ACCOUNT, "b", "model.tar.gz", archive("code/weights", b"weights")).await;
    before.creating("e", with_data("s3://b/model.tar.gz")).await;
    before.become_all(&Healthy).await;
    let files = before.runtime.only().files;
    assert_eq!(files, [("code/weights".to_owned(), "weights".to_owned())]);
    before.call::<DeleteModel>(DeleteModelInput { model_name: "e".to_owned() }).await.unwrap();
    let config = DeleteEndpointConfigInput { endpoint_config_name: "e".to_owned() };
    before.call::<DeleteEndpointConfig>(config).await.unwrap();
    before.durable.objects.put(ACCOUNT, "b", "model.tar.gz", "something else").await;

    let after = before.restarted();
    assert_eq!(after.status("e").await, "InService");
    after.settle().await;
    assert_eq!(after.runtime.names(), before.runtime.names());
    assert_eq!(after.runtime.only().files, files, "what was promoted, not what the object is now");
    after.runtime.all(&Healthy);
    after.settle().await;
    assert_eq!(after.status("e").await, "InService");
    assert_eq!(events(&after, "e").await, ["Creating", "InService"], "it never left");
}

#[tokio::test]
async fn a_restart_in_every_state_goes_on_where_it_was() {
    let mut world = world();
    world.creating("e", image()).await;
    world.settle().await;
    world = world.restarted();
    world.become_all(&Healthy).await;
    assert_eq!(world.status("e").await, "InService");
    world.config("next", vec![variant("Next", "e")]).await.unwrap();
    update(&world, "e", "next").await.unwrap();
    *world.runtime.next.lock() = Starting;
    world.settle().await;
    world = world.restarted();
    world.become_all(&Healthy).await;
    assert_eq!(world.describe("e").await.unwrap().endpoint_config_name.as_deref(), Some("next"));
    assert_eq!(world.runtime.names().len(), 1);
    delete(&world, "e").await.unwrap();
    world = world.restarted();
    world.settle().await;
    assert_refused(world.describe("e").await, "Could not find endpoint");
    assert_eq!(world.runtime.names(), Vec::<String>::new());
}

#[tokio::test]
async fn files_of_a_deployment_on_its_way_are_kept_until_they_are_named() {
    let packed = archive("model.onnx", b"packed");
    for (key, bytes, file) in [("m/model.onnx", b"plain".to_vec(), "plain"), ("m/model.tar.gz", packed, "packed")] {
        let world = world();
        let blobs = &world.durable.objects.blobs;
        world.durable.objects.put(ACCOUNT, "b", key, bytes).await;
        world.creating("e", with_data(&format!("s3://b/{key}"))).await;
        world.settle().await;
        world.durable.objects.buckets.lock().clear();
        let digest = put_bytes(&**blobs, file).await.unwrap().digest;
        assert!(blobs.pins().removal(&digest).is_none(), "{key}: nothing names it yet");
        world.runtime.all(&Healthy);
        world.settle().await;
        assert_eq!(world.status("e").await, "InService");
        let [name] = &world.durable.store.blob_names(&BlobName::before(""), 10).await.unwrap()[..] else {
            panic!("{key}: one document names one blob")
        };
        assert_eq!((&*name.digest, &*name.kind), (digest.as_str(), "sagemaker:endpoint"));
        assert!(blobs.pins().removal(&digest).is_some(), "{key}: the document keeps it, and a scrub may put it aside");
    }
}

#[tokio::test]
async fn a_prefix_becomes_files() {
    let world = world();
    for (key, content) in [("m/", ""), ("m/code/", ""), ("m/code/a.json", "{}"), ("m/weights", "w"), ("other", "x")] {
        world.durable.objects.put(ACCOUNT, "b", key, content).await;
    }
    world.creating("e", with_data("s3://b/m/")).await;
    world.settle().await;
    let wanted = [("code/a.json", "{}"), ("weights", "w")].map(|(name, content)| (name.to_owned(), content.to_owned()));
    assert_eq!(world.runtime.only().files, wanted);
}

#[tokio::test]
async fn a_prefix_of_more_than_a_page_is_whole() {
    let world = world();
    world.durable.objects.put(ACCOUNT, "b", "m/0000", "w").await;
    let one = world.durable.objects.buckets.lock()["b"].1["m/0000"].clone();
    for number in 1..1003 {
        let entry = ObjectEntry { key: format!("m/{number:04}"), ..one.clone() };
        world.durable.objects.buckets.lock().get_mut("b").unwrap().1.insert(entry.key.clone(), entry);
    }
    world.creating("e", with_data("s3://b/m/")).await;
    world.settle().await;
    let files = world.runtime.only().files;
    assert_eq!((files.len(), &*files[1002].0), (1003, "1002"));
}

#[tokio::test]
async fn data_that_cannot_be_used_is_the_failure_reason() {
    let download = "Failed to download model data for container \"container_1\" from URL: ";
    let extract = "Failed to extract model data archive for container \"container_1\" from URL ";
    for (key, content, words, why) in [
        ("model.tar.gz", b"text".to_vec(), extract, "valid tar.gz archive"),
        ("model.tar.gz", archive("m", b"w")[..30].to_vec(), extract, "valid tar.gz archive"),
        ("m/../evil", b"w".to_vec(), download, "leads out of its folder"),
    ] {
        let world = world();
        world.durable.objects.put(ACCOUNT, "b", key, content).await;
        let uri = if key.starts_with("m/") { "s3://b/m/" } else { "s3://b/model.tar.gz" };
        world.creating("e", with_data(uri)).await;
        world.settle().await;
        assert_eq!(world.status("e").await, "Failed");
        let reason = world.reason("e").await;
        assert!(reason.starts_with(words) && reason.contains(uri) && reason.contains(why), "{reason}");
        assert_eq!(*world.runtime.starts.lock(), 0);
    }
    let world = world();
    world.durable.objects.put(ACCOUNT, "b", "model.tar.gz", archive("m", b"w")).await;
    world.creating("e", with_data("s3://b/model.tar.gz")).await;
    world.durable.objects.buckets.lock().clear();
    world.settle().await;
    assert!(world.reason("e").await.starts_with(download));
}

#[tokio::test]
async fn an_account_that_goes_takes_its_endpoints_along() {
    let world = world();
    world.in_service("mine").await;
    world.creating("coming", image()).await;
    world.hosting.delete_account_data(&ACCOUNT.parse().unwrap()).await.unwrap();
    world.hosting.delete_account_data(&ACCOUNT.parse().unwrap()).await.unwrap();
    assert_eq!((world.status("mine").await.as_str(), world.status("coming").await.as_str()), ("Deleting", "Deleting"));
    world.settle().await;
    assert_eq!(world.runtime.names(), Vec::<String>::new());
    for kind in ["sagemaker:endpoint", "sagemaker:endpoint-config", "sagemaker:model"] {
        assert_eq!(world.durable.store.count(&stoa_store::Query::of(kind)).await.unwrap(), 0, "{kind}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_stops_nobody_else() {
    let world = world();
    world.in_service("good").await;
    world.in_service("bad").await;
    let page = world.durable.store.query(&stoa_store::Query::of("sagemaker:endpoint")).await.unwrap();
    let bad = page.documents.iter().find(|document| document.name == "bad").unwrap();
    let broken = bad.with_body(bad.modified, &"no endpoint").unwrap();
    world.durable.store.commit(stoa_store::Transaction::new().put(broken)).await.unwrap();
    assert_eq!(world.pass().await.failed, 1);
    assert_eq!(world.runtime.names().len(), 2, "nobody knows which containers it wants: none is stopped");
    delete(&world, "good").await.unwrap();
    world.settle().await;
    assert_refused(world.describe("good").await, "Could not find endpoint");
}

#[tokio::test]
async fn sealed_data_is_opened_by_the_role_for_the_container_and_nowhere_else() {
    const SECRET: &[u8] = b"weights that nobody else may see";
    for (key, uri) in [("m/weights", "s3://b/m/"), ("m.tar.gz", "s3://b/m.tar.gz")] {
        let world = world();
        let content = if key == "m/weights" { SECRET.to_vec() } else { archive("weights", SECRET) };
        world.durable.objects.put_sealed(ACCOUNT, "b", key, content).await;
        world.creating("e", with_data(uri)).await;
        world.become_all(&Healthy).await;
        assert_eq!(world.status("e").await, "InService", "{}", world.reason("e").await);
        let files = world.runtime.only().files;
        assert_eq!(files, [("weights".to_owned(), String::from_utf8(SECRET.to_vec()).unwrap())], "{key}");
        let plain = |stored: &Vec<u8>| stored.windows(SECRET.len()).any(|window| window == SECRET);
        assert!(!world.durable.stored().iter().any(plain), "nothing of it is left in the clear");
        assert_eq!(std::fs::read_dir(world.durable.opened()).unwrap().count(), 0);

        // After a restart it is opened again, as long as the role may.
        let world = world.restarted();
        world.settle().await;
        world.become_all(&Healthy).await;
        assert_eq!(world.runtime.only().files.len(), 1);
        *world.durable.objects.locked.lock() = true;
        let world = world.restarted();
        world.settle().await;
        assert!(world.runtime.names().is_empty(), "{key}");
    }
}

#[tokio::test]
async fn sealed_files_that_were_exchanged_on_the_disk_are_given_to_no_container() {
    let world = world();
    for (key, bytes) in [("m/a", "one file"), ("m/b", "another.")] {
        // As long, and under the same key: to the frames one is as good as the other.
        world.durable.objects.put_sealed(ACCOUNT, "b", key, bytes).await;
    }
    world.creating("e", with_data("s3://b/m/")).await;
    world.become_all(&Healthy).await;
    assert_eq!(world.status("e").await, "InService");
    let blobs = &world.durable.objects.blobs;
    let mut paths = Vec::new();
    for name in world.durable.store.blob_names(&BlobName::before(""), 10).await.unwrap() {
        let digest = Digest::parse(&name.digest).unwrap();
        paths.push(blobs.local_path(&digest).await.unwrap().unwrap());
    }
    let exchange = || {
        let aside = paths[0].with_extension("aside");
        std::fs::rename(&paths[0], &aside).unwrap();
        std::fs::rename(&paths[1], &paths[0]).unwrap();
        std::fs::rename(&aside, &paths[1]).unwrap();
    };
    exchange();
    let world = world.restarted();
    assert_eq!(world.pass().await.failed, 1);
    assert!(world.runtime.names().is_empty());
    exchange();
    let world = world.restarted();
    world.settle().await;
    let file = |name: &str, bytes: &str| (name.to_owned(), bytes.to_owned());
    assert_eq!(world.runtime.only().files, [file("a", "one file"), file("b", "another.")]);
}

#[tokio::test]
async fn a_role_that_may_not_use_the_key_fails_the_endpoint() {
    for (key, uri) in [("m/weights", "s3://b/m/"), ("m.tar.gz", "s3://b/m.tar.gz")] {
        let world = world();
        world.durable.objects.put_sealed(ACCOUNT, "b", key, archive("weights", b"w")).await;
        *world.durable.objects.locked.lock() = true;
        world.creating("e", with_data(uri)).await;
        world.settle().await;
        assert_eq!(world.status("e").await, "Failed", "{key}");
        let reason = world.reason("e").await;
        assert!(reason.starts_with("Failed to download model data") && reason.contains("kms:Decrypt"), "{reason}");
        assert_eq!(std::fs::read_dir(world.durable.opened()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_volume_key_is_refused_since_there_is_no_volume() {
    let world = world();
    world.model("m", image()).await.unwrap();
    let input = stoa_models_sagemaker::types::CreateEndpointConfigInput {
        endpoint_config_name: "c".to_owned(),
        production_variants: vec![variant("a", "m")],
        kms_key_id: Some("k".to_owned()),
        ..Default::default()
    };
    assert_refused(world.call::<stoa_models_sagemaker::operations::CreateEndpointConfig>(input).await, "KmsKeyId");
}
