//! A receiver on a socket, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stoa_store::{MemoryStore, OutboxEvent, Store, Transaction};
use stoa_types::{Clock, FixedClock, Timestamp};
use stoa_work::{Nudge, PassReport, TaskGroup, Worker};
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

/// What a server runs, with a clock of its own.
struct World {
    store: Arc<dyn Store>,
    clock: Arc<FixedClock>,
    webhooks: Vec<Webhook>,
}

impl World {
    fn new(webhooks: Vec<Webhook>) -> World {
        World { store: store(), clock: Arc::new(FixedClock::at(NOW)), webhooks }
    }

    fn dispatcher(&self) -> Arc<Dispatcher> {
        Dispatcher::new(Arc::clone(&self.store), self.clock.clone(), self.webhooks.clone())
    }

    /// Passes of all until none has more to do at once; the deliveries come before the forgetting. A server of its own
    /// each time: what holds is in the store.
    async fn settle(&self) -> PassReport {
        let mut all = PassReport::default();
        let mut reconcilers = self.dispatcher().reconcilers();
        reconcilers.reverse();
        for reconciler in reconcilers {
            loop {
                let report = reconciler.pass().await.unwrap();
                all.changed += report.changed;
                all.failed += report.failed;
                if report.again_after != Some(Duration::ZERO) {
                    report.again_after.into_iter().for_each(|after| all.look_again(after));
                    break;
                }
            }
        }
        all
    }

    async fn waiting(&self) -> Vec<u64> {
        self.store.outbox(0, 100).await.unwrap().into_iter().map(|(sequence, _)| sequence).collect()
    }
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
    let ((first, to_first), (second, to_second)) = (receiver(&[]).await, receiver(&[]).await);
    let world = World::new(vec![first, second]);
    emit(&world.store, 0..250).await;
    let other = OutboxEvent { topic: "of.another.shape".into(), subject: String::new(), at: NOW, body: "{}".into() };
    world.store.commit(Transaction::new().emit(other)).await.unwrap();
    let report = world.settle().await;
    assert_eq!((report.changed, report.failed, report.again_after), (500, 0, None));
    assert_eq!((ids(&to_first), ids(&to_second)), (numbers(0..250), numbers(0..250)));
    assert!(world.waiting().await.is_empty());
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_pause_that_grows_and_holds_over_restarts() {
    let ((lame, to_lame), (well, to_well)) = (receiver(&[200, 500, 302, 200, 500]).await, receiver(&[]).await);
    let world = World::new(vec![lame, well]);
    emit(&world.store, 0..3).await;
    let report = world.settle().await;
    assert_eq!((report.failed, report.again_after), (1, Some(Duration::from_secs(1))));
    assert_eq!((ids(&to_lame), ids(&to_well)), (numbers(0..1), numbers(0..3)));
    emit(&world.store, 3..4).await;
    world.clock.advance_millis(999);
    let report = world.settle().await;
    assert_eq!((report.changed, report.failed), (1, 0), "only the other is posted to");
    assert_eq!(report.again_after, Some(Duration::from_millis(1)));
    assert_eq!((ids(&to_lame), ids(&to_well)), (numbers(0..1), numbers(0..4)));
    world.clock.advance_millis(1);
    let report = world.settle().await;
    assert_eq!((report.failed, report.again_after), (1, Some(Duration::from_secs(2))), "a redirect is no yes");
    world.clock.advance_millis(2_000);
    let report = world.settle().await;
    assert_eq!((report.failed, report.again_after), (1, Some(Duration::from_secs(1))), "one was taken in between");
    assert_eq!(ids(&to_lame), numbers(0..2));
    world.clock.advance_millis(1_000);
    assert_eq!(world.settle().await.failed, 0);
    assert_eq!((ids(&to_lame), ids(&to_well)), (numbers(0..4), numbers(0..4)));
    assert!(world.waiting().await.is_empty());
}

#[tokio::test]
async fn one_that_does_not_answer_holds_up_nobody_else() {
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let (well, to_well) = receiver(&[]).await;
    let world = World::new(vec![Webhook::parse(&url).unwrap(), well]);
    let tasks = TaskGroup::new();
    let clock: Arc<dyn Clock> = world.clock.clone();
    for reconciler in world.dispatcher().reconcilers() {
        // Without a period: only nudges and their own wishes make passes.
        Worker::new(reconciler, Arc::clone(&clock), Duration::from_millis(1), Nudge::new()).start(&tasks);
    }
    let (_held, _) = {
        emit(&world.store, 0..1).await;
        silent.accept().await.unwrap()
    };
    // The silent one's post is under way and stays so; the other gets all that comes meanwhile.
    emit(&world.store, 1..150).await;
    while to_well.lock().len() < 150 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ids(&to_well), numbers(0..150));
    assert_eq!(world.waiting().await.len(), 100, "nothing is forgotten that the silent one waits for");
}

#[test]
fn pauses_double_to_five_minutes_and_a_clock_set_back_makes_none_longer() {
    let mut progress = crate::dispatch::Progress::default();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        progress.failed(NOW);
        pauses.push(progress.pause(NOW).unwrap().as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert_eq!(progress.pause(NOW.plus_millis(-86_400_000)).unwrap().as_secs(), 300);
    assert_eq!(progress.pause(NOW.plus_millis(300_000)), None);
}

#[tokio::test]
async fn the_backlog_is_bounded() {
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = World::new(vec![Webhook::parse(&format!("http://{address}/")).unwrap()]);
    emit(&world.store, 0..30).await;
    assert_eq!(world.settle().await.failed, 1);
    world.dispatcher().forget(10).await.unwrap();
    assert_eq!(world.waiting().await, (21..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_webhooks_nothing_is_kept() {
    let world = World::new(Vec::new());
    emit(&world.store, 0..5).await;
    assert_eq!(world.settle().await.changed, 5);
    assert!(world.waiting().await.is_empty());
}

#[test]
fn urls() {
    for bad in ["", "ftp://a/", "a.example", "https://user:secret@a.example/"] {
        assert!(Webhook::parse(bad).is_err(), "{bad}");
    }
    assert!(Webhook::parse("https://a.example/x").is_ok());
}
