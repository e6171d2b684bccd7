//! `blob-s3` against Stoa itself as the S3-compatible store: the suite of blob stores, and what only this driver has.
#![cfg(feature = "blob-s3")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests fail the test")]
#![expect(clippy::disallowed_methods, reason = "signatures and dates are of a server with the system's clock")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256};
use stoa_blob::{BlobError, BlobStore, Digest, put_bytes};
use stoa_blob_s3::{Claim, OpenError, Owner, S3Blobs, S3Settings};
use stoa_sigv4::{Signer, presign};
use stoa_types::{Secret, Timestamp};

const STOA: &str = env!("CARGO_BIN_EXE_stoa");

/// A running server with a bucket.
struct Server {
    process: Child,
    host: String,
    key: (String, Secret),
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--no-sample-catalog", "--data-dir"];
        let mut process =
            Command::new(STOA).args(arguments).arg(&data).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let line = BufReader::new(process.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let host = line.strip_prefix("stoa ready on http://").expect("it is ready").trim().to_owned();
        let made = Command::new(STOA).args(["account", "create", "--name", "blobs", "--data-dir"]).arg(&data).output();
        let made: serde_json::Value = serde_json::from_slice(&made.unwrap().stdout).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let key = (text("access_key_id"), Secret::new(text("secret_access_key")));
        let server = Server { process, host, key, folder };
        server.make_bucket();
        server
    }

    fn make_bucket(&self) {
        let body = "<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint>\
                    </CreateBucketConfiguration>";
        self.put("", body);
    }

    /// Puts an object of the bucket, or makes the bucket.
    fn put(&self, key: &str, body: &str) {
        self.send("PUT", key, body);
    }

    fn delete(&self, key: &str) {
        self.send("DELETE", key, "");
    }

    fn send(&self, method: &str, key: &str, body: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let signer = Signer {
            access_key_id: &self.key.0,
            secret: &self.key.1,
            session_token: None,
            region: "us-west-2",
            service: "s3",
            now: Timestamp::from_millis(now),
        };
        let path = format!("/blobs-of-another{}{key}", if key.is_empty() { "" } else { "/" });
        let query = presign(&signer, method, &self.host, &path, "", 60);
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(
            stream,
            "{method} {path}?{query} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
    }

    fn settings(&self, prefix: &str) -> S3Settings {
        let url = format!("s3://blobs-of-another/{prefix}?endpoint=http://{}&region=us-west-2", self.host);
        S3Settings { credentials: Some(self.key.clone()), ..S3Settings::parse(&url).unwrap() }
    }

    async fn open(&self, prefix: &str, folder: &Path) -> S3Blobs {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let this = owner("me", "here", &format!("opened {}", OPENED.fetch_add(1, Ordering::Relaxed)));
        S3Blobs::open(&self.settings(prefix), folder, &this, Claim::Take).await.unwrap()
    }
}

fn owner(stoa: &str, folder: &str, session: &str) -> Owner {
    let text = |text: &str| text.to_owned();
    Owner { stoa: text(stoa), folder: text(folder), place: format!("host:/{folder}"), session: text(session) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_an_object_store() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let store = server.open("p/q", folder.path()).await;
    stoa_blob::suite::run(&store).await.unwrap();
    large_blobs(&store).await;
    local_copies(&server, &store).await;
    one_owner(&server, folder.path()).await;
    one_folder(&server, folder.path()).await;
    dead_marks(&server, folder.path()).await;
    a_put_waits_for_a_removal_of_another_process(&server, &store).await;
    let spooled = std::fs::read_dir(folder.path().join("spool")).unwrap().count();
    assert_eq!(spooled, 0, "the spool's files have no names");
    a_store_that_is_gone_is_an_error(server, store).await;
}

/// In parts, through the spool; ranges across their borders.
async fn large_blobs(store: &S3Blobs) {
    let block: Vec<u8> = (0..1_048_573_u32).map(|number| ((number * 31) >> 7) as u8).collect();
    let pieces: Vec<_> = (0..40).map(|_| Ok(Bytes::from(block.clone()))).collect();
    let written = store.put(futures_util::stream::iter(pieces).boxed()).await.unwrap();
    let whole = block.repeat(40);
    assert_eq!(written.digest, Digest::from_bytes(Sha256::digest(&whole).into()));
    for (start, length) in [(0, 10), (16 << 20, 100), ((16 << 20) - 50, 100), (whole.len() - 7, 100)] {
        let found = store.get(&written.digest, start as u64, Some(length as u64)).await.unwrap();
        let found = stoa_blob::collect(found).await.unwrap();
        assert!(found == whole[start..whole.len().min(start + length)], "{start} + {length}");
    }
    let mut hash = Sha256::new();
    let mut all = store.get(&written.digest, 0, None).await.unwrap();
    while let Some(piece) = all.next().await {
        hash.update(piece.unwrap());
    }
    assert_eq!(Digest::from_bytes(hash.finalize().into()), written.digest);
}

/// Containers get a file, which is hashed on its way.
async fn local_copies(server: &Server, store: &S3Blobs) {
    let digest = put_bytes(store, "for a container").await.unwrap().digest;
    let path = store.local_path(&digest).await.unwrap().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"for a container");
    assert_eq!(store.local_path(&digest).await.unwrap().unwrap(), path, "it is fetched once");
    // The bytes rot at the store, where they are a blob of Stoa's own.
    let digest = put_bytes(store, "rotten at the store").await.unwrap().digest;
    let name = digest.as_str();
    let theirs = server.folder.path().join("d/blobs").join(&name[..2]).join(name);
    std::fs::remove_file(&theirs).unwrap();
    std::fs::write(&theirs, "rotted, at the store").unwrap();
    let refused = store.local_path(&digest).await;
    assert!(matches!(refused, Err(BlobError::Backend(_))), "{refused:?}");
}

async fn one_owner(server: &Server, folder: &Path) {
    server.open("p/q", folder).await;
    let other = owner("somebody else", "here", "1");
    for claim in [Claim::Look, Claim::Take, Claim::TakeOver] {
        let refused = S3Blobs::open(&server.settings("p/q"), folder, &other, claim).await;
        assert!(matches!(refused, Err(OpenError::Foreign { found, .. }) if found == "me"), "{claim:?}");
    }
    let nowhere = S3Settings { bucket: "no-such-bucket".to_owned(), ..server.settings("p") };
    for claim in [Claim::Look, Claim::Take] {
        let refused = S3Blobs::open(&nowhere, folder, &owner("me", "here", "1"), claim).await;
        assert!(matches!(refused, Err(OpenError::Store { .. })), "{claim:?}");
    }
}

/// A copy of a data folder has the same identity, and is refused as another would be.
async fn one_folder(server: &Server, folder: &Path) {
    let settings = server.settings("copied");
    let open = async |owner: Owner, claim| S3Blobs::open(&settings, folder, &owner, claim).await;
    let looked = open(owner("me", "here", "0"), Claim::Look).await.unwrap();
    assert!(!looked.is_owner().await.unwrap(), "who looks takes nothing");
    let first = open(owner("me", "here", "1"), Claim::Take).await.unwrap();
    assert!(first.is_owner().await.unwrap());
    for claim in [Claim::Look, Claim::Take] {
        let refused = open(owner("me", "there", "2"), claim).await;
        assert!(matches!(refused, Err(OpenError::Copied { found, .. }) if found == "host:/here"), "{claim:?}");
    }
    assert!(first.is_owner().await.unwrap(), "a refusal changes nothing");
    let moved = open(owner("me", "there", "3"), Claim::TakeOver).await.unwrap();
    assert!(moved.is_owner().await.unwrap());
    assert!(!first.is_owner().await.unwrap(), "it would remove what the other's documents name");
    assert!(open(owner("me", "here", "4"), Claim::Take).await.is_err());
    // Of before folders were told apart.
    server.put("older/owner", "me");
    let settings = server.settings("older");
    let claimed = S3Blobs::open(&settings, folder, &owner("me", "here", "5"), Claim::Take).await.unwrap();
    assert!(claimed.is_owner().await.unwrap());
    let refused = S3Blobs::open(&settings, folder, &owner("me", "there", "6"), Claim::Take).await;
    assert!(matches!(refused, Err(OpenError::Copied { .. })));
}

/// Marks of removals that nobody ends hold up no put: those of this process, and of earlier ones of this folder.
async fn dead_marks(server: &Server, folder: &Path) {
    let (settings, this) = (server.settings("marks"), owner("me", "here", "2"));
    let bytes = ["marked before", "marked by this", "marked by another"];
    let digest = |bytes: &str| Digest::from_bytes(Sha256::digest(bytes).into());
    let mark = |bytes: &str, by: &Owner| {
        server.put(&format!("marks/removing/{}", digest(bytes).as_str()), &by.to_string());
    };
    let first = S3Blobs::open(&settings, folder, &owner("me", "here", "1"), Claim::Take).await.unwrap();
    for bytes in bytes {
        put_bytes(&first, bytes).await.unwrap();
    }
    mark(bytes[0], &owner("me", "here", "1"));
    let store = S3Blobs::open(&settings, folder, &this, Claim::Take).await.unwrap();
    mark(bytes[1], &this);
    mark(bytes[2], &owner("me", "elsewhere", "9"));
    let moment = std::time::Duration::from_secs(60);
    for bytes in &bytes[..2] {
        tokio::time::timeout(moment, put_bytes(&store, *bytes)).await.expect("nobody removes it").unwrap();
    }
    let mut waiting = Box::pin(put_bytes(&store, bytes[2]));
    let waits = tokio::time::timeout(std::time::Duration::from_millis(500), &mut waiting).await;
    assert!(waits.is_err(), "another's removal may be under way");
    server.delete(&format!("marks/removing/{}", digest(bytes[2]).as_str()));
    tokio::time::timeout(moment, waiting).await.expect("the removal ended").unwrap();
}

/// Two processes have no pins in common: what they have is the marks at the store.
async fn a_put_waits_for_a_removal_of_another_process(server: &Server, store: &S3Blobs) {
    let folder = tempfile::tempdir().unwrap();
    let other = server.open("p/q", folder.path()).await;
    let wanted = |number: usize| format!("wanted by two: {number:2}");
    let mut digests = Vec::new();
    for number in 0..30 {
        digests.push(put_bytes(store, wanted(number)).await.unwrap().digest);
    }
    // Dates have whole seconds: from now on these are old, and what is put again is young.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let (mut removed, mut kept) = (0, 0);
    for (number, digest) in digests.iter().enumerate() {
        let removal = other.pins().removal(digest).unwrap();
        // One of them begins at another point of the other each time, in turn.
        let later = std::time::Duration::from_millis(4 * (number as u64 / 2));
        let put = async {
            tokio::time::sleep(if number % 2 == 0 { later } else { std::time::Duration::ZERO }).await;
            put_bytes(store, wanted(number)).await
        };
        let remove = async {
            tokio::time::sleep(if number % 2 == 0 { std::time::Duration::ZERO } else { later }).await;
            other.remove(&removal, Timestamp::from_millis(now - 1000)).await
        };
        let (gone, again) = tokio::join!(remove, put);
        assert_eq!(again.unwrap().digest, *digest);
        assert!(store.size(digest).await.unwrap().is_some(), "blob {number} was put and is not there ({gone:?})");
        if gone.unwrap() { removed += 1 } else { kept += 1 }
    }
    assert!(removed > 0 && kept > 0, "both come about: {removed} removed, {kept} kept");
}

async fn a_store_that_is_gone_is_an_error(server: Server, store: S3Blobs) {
    let digest = put_bytes(&store, "unreachable").await.unwrap().digest;
    drop(server);
    let began = std::time::Instant::now();
    let missing = store.size(&digest).await;
    assert!(matches!(missing, Err(BlobError::Backend(_))), "{missing:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(90));
}
