//! A receiver on a socket, and what it is told.

use std::sync::Arc;

use parking_lot::Mutex;
use stoa_store::{MemoryStore, OutboxEvent, Store, Transaction};
use stoa_types::{FixedClock, Timestamp};
use stoa_work::Reconciler;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{Dispatcher, Webhook};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// Answers each POST with the next of these statuses (then with 204), and keeps the bodies of those it took.
async fn receiver(statuses: &'static [u16]) -> (Webhook, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook = Webhook::parse(&format!("http://{}/hook?a=b", listener.local_addr().unwrap())).unwrap();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (kept, mut statuses) = (Arc::clone(&taken), statuses.iter().copied());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let body = loop {
                let mut piece = [0; 4096];
                let count = socket.read(&mut piece).await.unwrap();
                request.extend(&piece[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                assert!(head.starts_with("POST /hook?a=b HTTP/1.1"), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.unwrap().parse::<usize>().unwrap() {
                    break body.to_owned();
                }
            };
            let status = statuses.next().unwrap_or(204);
            if status < 300 {
                kept.lock().push(body);
            }
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (webhook, taken)
}

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Arc::new(FixedClock::at(NOW))))
}

async fn emit(store: &Arc<dyn Store>, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let body = format!(r#"{{"detail-type":"Object Created","id":"{number}"}}"#);
        let event = OutboxEvent { topic: "s3.object".into(), subject: "k".into(), at: NOW, body };
        store.commit(Transaction::new().emit(event)).await.unwrap();
    }
}

fn dispatcher(store: &Arc<dyn Store>, webhooks: Vec<Webhook>) -> Dispatcher {
    Dispatcher::new(Arc::clone(store), Arc::new(FixedClock::at(NOW)), webhooks)
}

fn ids(taken: &Mutex<Vec<String>>) -> Vec<String> {
    let id =
        |body: &String| serde_json::from_str::<serde_json::Value>(body).unwrap()["id"].as_str().unwrap().to_owned();
    taken.lock().iter().map(id).collect()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn each_gets_all_in_order_and_then_they_are_forgotten() {
    let store = store();
    let ((first, to_first), (second, to_second)) = (receiver(&[]).await, receiver(&[]).await);
    emit(&store, 0..250).await;
    let other = OutboxEvent { topic: "of.another.shape".into(), subject: String::new(), at: NOW, body: "{}".into() };
    store.commit(Transaction::new().emit(other)).await.unwrap();
    let report = dispatcher(&store, vec![first, second]).pass().await.unwrap();
    assert_eq!((report.changed, report.failed), (500, 0));
    assert_eq!((ids(&to_first), ids(&to_second)), (numbers(0..250), numbers(0..250)));
    assert!(store.outbox(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_failure_is_tried_again_and_holds_up_only_itself() {
    let store = store();
    let ((lame, to_lame), (well, to_well)) = (receiver(&[200, 500, 302]).await, receiver(&[]).await);
    emit(&store, 0..3).await;
    let dispatcher = dispatcher(&store, vec![lame, well]);
    let report = dispatcher.pass().await.unwrap();
    assert_eq!((report.failed, report.again_after.is_some()), (1, true));
    assert_eq!((ids(&to_lame), ids(&to_well)), (numbers(0..1), numbers(0..3)));
    emit(&store, 3..4).await;
    dispatcher.pass().await.unwrap();
    assert_eq!((ids(&to_lame), ids(&to_well)), (numbers(0..1), numbers(0..4)));
    assert_eq!(dispatcher.pass().await.unwrap().failed, 0);
    assert_eq!((ids(&to_lame), ids(&to_well)), (numbers(0..4), numbers(0..4)));
    assert!(store.outbox(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_backlog_is_bounded() {
    let store = store();
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = Webhook::parse(&format!("http://{address}/")).unwrap();
    emit(&store, 0..30).await;
    let dispatcher = dispatcher(&store, vec![gone]);
    assert_eq!(dispatcher.pass_with(10).await.unwrap().failed, 1);
    let left: Vec<u64> = store.outbox(0, 100).await.unwrap().into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(left, (21..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_webhooks_nothing_is_kept() {
    let store = store();
    emit(&store, 0..5).await;
    assert_eq!(dispatcher(&store, Vec::new()).pass().await.unwrap().changed, 5);
    assert!(store.outbox(0, 10).await.unwrap().is_empty());
}

#[test]
fn urls() {
    for bad in ["", "ftp://a/", "a.example", "https://user:secret@a.example/"] {
        assert!(Webhook::parse(bad).is_err(), "{bad}");
    }
    assert!(Webhook::parse("https://a.example/x").is_ok());
}
