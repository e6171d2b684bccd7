//! The gate of a hub: what an import, a change of one, and a reference are judged by, and whose keys sign.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::json;
use sha2::{Digest, Sha256};
use stoa_kernel::ports::{HubAccess, ModelAccessRequest, ObjectEntry, ObjectSource};
use stoa_kernel::{ApiError, Authorized, Cx};
use stoa_models_sagemaker::operations::{CreateHubContentReference, ImportHubContent, UpdateHubContent};
use stoa_models_sagemaker::types::{
    DescribeHubContentResponse, HubContentSupportStatus, HubContentType, ImportHubContentRequest,
    UpdateHubContentRequest,
};
use stoa_models_stoa::operations::{DescribeModelProvenance, PutHubAdmissionPolicy};
use stoa_models_stoa::types::{
    AdmissionAction, ArtifactFormat, DescribeModelProvenanceRequest, DescribeModelProvenanceResponse,
    HubAdmissionPolicy, ProvenanceContentType, PutHubAdmissionPolicyRequest,
};
use stoa_sagemaker_hub::AdmissionReconciler;
use stoa_schema::{Operation, ToValue};
use stoa_types::{AccountId, Timestamp};
use stoa_work::Reconciler;

use crate::contents::{import, update};
use crate::own::OwnBuckets;
use crate::references::describe;
use crate::support::*;

const MODEL: HubContentType = HubContentType::Model;
/// Imports `os.system` and calls it: never run here, only read.
const EVIL: &[u8] = b"cos\nsystem\n(S'exit 1'\ntR.";
const CARD: &str = "---\nlicense: mit\n---\n# A card\n";

/// A bucket of the account, over blobs that are there.
#[derive(Default)]
struct Bucket(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl ObjectSource for Bucket {
    async fn bucket_owner(&self, _: &str) -> Result<Option<AccountId>, ApiError> {
        Ok(Some(ACCOUNT.parse().unwrap()))
    }
    async fn object(&self, _: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        Ok(self.0.lock().get(key).map(|bytes| entry(key, bytes)))
    }
    async fn objects(
        &self,
        _: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        let files = self.0.lock();
        let found = files.iter().filter(|(key, _)| key.starts_with(prefix));
        let found = found.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        Ok(found.take(limit).map(|(key, bytes)| entry(key, bytes)).collect())
    }
    async fn check_read(&self, _: &Cx, _: &str, _: &str) -> Result<(), ApiError> {
        Ok(())
    }
}

fn entry(key: &str, bytes: &[u8]) -> ObjectEntry {
    ObjectEntry {
        key: key.to_owned(),
        digest: hex::encode(Sha256::digest(bytes)),
        size: bytes.len() as u64,
        etag: "e".to_owned(),
        content_type: None,
        last_modified: Timestamp::default(),
        inline: None,
        sealed: None,
    }
}

/// A hub `h`, a bucket, and the reconciler that judges.
struct Site {
    world: World,
    bucket: Arc<Bucket>,
    judge: AdmissionReconciler,
}

async fn site() -> Site {
    let world = world().await;
    let bucket = Arc::new(Bucket::default());
    world.hubs.set_objects(bucket.clone());
    let access = OwnBuckets::default();
    access.put("own", ["file.bin".to_owned()]);
    world.hubs.set_object_access(Arc::new(access));
    world.hub(&world.admin(), "h").await;
    let judge = AdmissionReconciler::new(Arc::clone(&world.hubs), world.clock.clone());
    Site { world, bucket, judge }
}

impl Site {
    async fn policy(&self, policy: HubAdmissionPolicy) {
        let input = PutHubAdmissionPolicyRequest { hub_name: "h".to_owned(), policy };
        self.world.call::<PutHubAdmissionPolicy>(&self.world.admin(), input).await.unwrap();
    }

    /// Imports a model of one file. The public hub brings its bytes to where blobs are.
    async fn import(&self, name: &str, file: &[u8], input: ImportHubContentRequest) {
        let folder = self.world.model_folder(&format!("acme-tabular-{name}"), "1.0.0");
        std::fs::write(folder.join("artifact/file.bin"), file).unwrap();
        self.world.catalog.import_dir(&folder).await.unwrap();
        self.bucket.0.lock().insert(format!("{name}/file.bin"), file.to_vec());
        let document = own_document(&format!("s3://own/{name}/")).to_string();
        let input = ImportHubContentRequest { hub_content_document: document, ..input };
        self.world.call::<ImportHubContent>(&self.world.admin(), input).await.unwrap();
    }

    async fn describe(&self, name: &str) -> DescribeHubContentResponse {
        describe(&self.world, "h", MODEL, name, None).await.unwrap()
    }

    /// What comes of a content once it was judged: its status, and why.
    async fn judged(&self, name: &str) -> (String, String) {
        let report = self.judge.pass().await.unwrap();
        assert_eq!(report.failed, 0);
        let found = self.describe(name).await;
        (found.hub_content_status.as_str().to_owned(), found.failure_reason.unwrap_or_default())
    }

    /// What a container is asked for that is to get the content's files.
    async fn check_files(&self, name: &str) -> Result<bool, ApiError> {
        let hub_content_arn = Some(self.describe(name).await.hub_content_arn);
        let request = ModelAccessRequest { s3_uri: format!("s3://own/{name}/"), hub_content_arn, accept_eula: None };
        self.world.hubs.check_files(&request).await
    }

    async fn update(&self, name: &str, change: UpdateHubContentRequest) -> Result<(), ApiError> {
        let input = UpdateHubContentRequest { hub_content_name: name.to_owned(), ..change };
        self.world.call::<UpdateHubContent>(&self.world.admin(), input).await.map(|_| ())
    }
}

fn markdown(text: &str) -> UpdateHubContentRequest {
    UpdateHubContentRequest { hub_content_markdown: Some(text.to_owned()), ..update(MODEL, "1.0.0") }
}

fn support(status: HubContentSupportStatus) -> UpdateHubContentRequest {
    UpdateHubContentRequest { support_status: Some(status), ..update(MODEL, "1.0.0") }
}

fn pickles(action: AdmissionAction) -> HubAdmissionPolicy {
    HubAdmissionPolicy { unsafe_pickle: Some(action), ..HubAdmissionPolicy::default() }
}

#[tokio::test]
async fn an_import_waits_for_its_judgement_and_gets_what_the_policy_says() {
    let site = site().await;
    site.policy(pickles(AdmissionAction::Refuse)).await;
    site.import("good", b"{}", import("good", None)).await;
    assert_eq!(site.describe("good").await.hub_content_status.as_str(), "Importing");
    assert_eq!(site.judged("good").await, ("Available".to_owned(), String::new()));
    site.import("refused", EVIL, import("refused", None)).await;
    let (status, why) = site.judged("refused").await;
    assert_eq!(status, "ImportFailed");
    assert!(why.contains("file.bin: a pickle imports os.system"), "{why}");
    site.policy(pickles(AdmissionAction::Quarantine)).await;
    site.import("held", EVIL, import("held", None)).await;
    let (status, why) = site.judged("held").await;
    assert_eq!(status, "PendingImport");
    assert!(why.contains("in quarantine") && why.contains("os.system"), "{why}");
    assert_eq!(site.judge.pass().await.unwrap().changed, 0, "nothing new is known of it");
    // What is held is judged again by another policy; what was refused stays refused.
    let known = HubAdmissionPolicy {
        allowed_imports: Some(vec!["os.system".to_owned()]),
        ..pickles(AdmissionAction::Quarantine)
    };
    site.policy(known).await;
    assert_eq!(site.judged("held").await.0, "Available");
    assert_eq!(site.describe("refused").await.hub_content_status.as_str(), "ImportFailed");
}

#[tokio::test]
async fn a_mark_is_not_taken_off_by_an_update() {
    use HubContentSupportStatus::{Deprecated, Restricted, Supported};
    let site = site().await;
    site.policy(pickles(AdmissionAction::Mark)).await;
    site.import("marked", EVIL, import("marked", None)).await;
    assert_eq!(site.judged("marked").await.0, "Available");
    assert_eq!(site.describe("marked").await.support_status, Some(Restricted));
    for status in [Supported, Deprecated] {
        let words = ["SupportStatus", "os.system", "stays Restricted", "AllowedImports"];
        refused(site.update("marked", support(status)).await, "ValidationException", &words);
    }
    site.update("marked", support(Restricted)).await.unwrap();
    assert_eq!(site.describe("marked").await.support_status, Some(Restricted));
    // One without findings is its owner's to mark.
    site.import("clean", b"{}", import("clean", None)).await;
    site.judged("clean").await;
    site.update("clean", support(Deprecated)).await.unwrap();
    site.update("clean", support(Supported)).await.unwrap();
    // Without a policy nobody has a say.
    site.policy(HubAdmissionPolicy::default()).await;
    site.update("marked", support(Supported)).await.unwrap();
    assert_eq!(site.describe("marked").await.support_status, Some(Supported));
}

#[tokio::test]
async fn a_change_that_the_policy_has_a_say_about_is_judged_before_it_is_available() {
    let site = site().await;
    let card = || ImportHubContentRequest { hub_content_markdown: Some(CARD.to_owned()), ..import("own", None) };
    site.import("before", b"{}", ImportHubContentRequest { hub_content_name: "before".to_owned(), ..card() }).await;
    let licensed = HubAdmissionPolicy {
        allowed_licences: Some(vec!["MIT".to_owned()]),
        required_card_fields: Some(vec!["license".to_owned()]),
        ..HubAdmissionPolicy::default()
    };
    site.policy(licensed).await;
    site.import("own", b"{}", card()).await;
    assert_eq!(site.judged("own").await.0, "Available");
    // What the policy does not look at is changed at once.
    let description =
        UpdateHubContentRequest { hub_content_description: Some("d".to_owned()), ..update(MODEL, "1.0.0") };
    site.update("own", description).await.unwrap();
    site.update("own", markdown(&format!("{CARD}More of it.\n"))).await.unwrap();
    assert_eq!(site.describe("own").await.hub_content_status.as_str(), "Available");
    site.update("own", markdown("---\nlicense: gpl-3.0\n---\n# A card\n")).await.unwrap();
    assert_eq!(site.describe("own").await.hub_content_status.as_str(), "Importing");
    let (status, why) = site.judged("own").await;
    assert_eq!(status, "ImportFailed");
    assert!(why.contains("the licence gpl-3.0 is not allowed"), "{why}");
    // A model that was made before gets no more containers.
    refused(site.check_files("own").await, "ValidationException", &["own 1.0.0", "ImportFailed"]);
    site.update("own", markdown("# No front matter\n")).await.unwrap();
    let (status, why) = site.judged("own").await;
    assert_eq!(status, "ImportFailed");
    assert!(why.contains("no licence is named") && why.contains("lacks license"), "{why}");
    // And back: it is mended by the same way.
    site.update("own", markdown(CARD)).await.unwrap();
    assert_eq!(site.judged("own").await, ("Available".to_owned(), String::new()));
    site.check_files("own").await.unwrap();
    // What was there before the policy was never judged, and stays.
    site.update("before", markdown("# No front matter\n")).await.unwrap();
    assert_eq!(site.judged("before").await.0, "Available");
}

#[tokio::test]
async fn a_public_model_that_the_policy_keeps_out_is_not_referred_to() {
    let site = site().await;
    let world = &site.world;
    let admin = world.admin();
    let only = HubAdmissionPolicy {
        allowed_formats: Some(vec![ArtifactFormat::Onnx, ArtifactFormat::Json]),
        ..HubAdmissionPolicy::default()
    };
    site.policy(only).await;
    world.reference(&admin, "h", TINY).await;
    world.import("acme-tabular-flowers", "1.0.0").await;
    let made = world.call::<CreateHubContentReference>(&admin, reference("h", "acme-tabular-flowers")).await;
    refused(made, "ValidationException", &["acme-tabular-flowers 1.0.0", "model.onnx: the format Text"]);
}

async fn provenance(world: &World, hub: &str) -> DescribeModelProvenanceResponse {
    let input = DescribeModelProvenanceRequest {
        hub_name: hub.to_owned(),
        hub_content_type: ProvenanceContentType::JsonDoc,
        hub_content_name: "own".to_owned(),
        hub_content_version: None,
    };
    world.call::<DescribeModelProvenance>(&world.admin(), input).await.unwrap()
}

#[tokio::test]
async fn statements_are_signed_by_keys_of_the_hub_s_owner_whoever_imports() {
    let site = site().await;
    let world = &site.world;
    for key in [
        "arn:aws:kms:us-west-2:444455556666:key/models",
        "arn:aws:kms:us-west-2:444455556666:alias/models",
        "arn:aws:kms:eu-central-1:111122223333:key/models",
        "arn:aws:iam:us-west-2:111122223333:key/models",
        "arn:aws:kms:us-west-2:111122223333:grant/models",
        "arn:nonsense",
    ] {
        let policy = HubAdmissionPolicy { signing_key_id: Some(key.to_owned()), ..HubAdmissionPolicy::default() };
        let input = PutHubAdmissionPolicyRequest { hub_name: "h".to_owned(), policy };
        let words = ["SigningKeyId", key, ACCOUNT, REGION];
        let put = world.call::<PutHubAdmissionPolicy>(&world.admin(), input).await;
        refused(put, "ValidationException", &words);
    }
    for key in ["alias/models", "models", "arn:aws:kms:us-west-2:111122223333:alias/models"] {
        site.policy(HubAdmissionPolicy { signing_key_id: Some(key.to_owned()), ..HubAdmissionPolicy::default() }).await;
        // A consumer to whom a share opened the hub: that was decided before the handler is reached.
        let consumer = world.user("444455556666", "ana", &[allow_all()]);
        let input = ImportHubContentRequest {
            hub_name: arn("hub/h"),
            hub_content_type: HubContentType::JsonDoc,
            hub_content_document: json!({}).to_string(),
            ..import("own", None)
        };
        let permit = consumer.decide(&[]).await.unwrap();
        let route = world.registry().route(ImportHubContent::SPEC).unwrap();
        (route.handler)(&consumer, Authorized::new(&permit, input.to_value())).await.unwrap();
        let found = provenance(world, "h").await;
        assert_eq!(found.imported_by, Some(consumer.principal.arn.clone()));
        assert_eq!(found.signing_key_arn, Some(format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/models")), "{key}");
        assert_eq!(found.signature_valid, Some(true));
    }
}
