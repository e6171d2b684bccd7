//! Many at once, clients that go away, and the end of the server.

use std::collections::HashSet;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use stoa_audit::Phase;
use tokio::net::TcpStream;

use crate::client::{Call, answer};
use crate::world::{World, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_connections() {
    let world = World::start().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let address = world.address;
        tasks.spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let mut seen = Vec::new();
            for index in 0..20 {
                let call = Call::json("DescribeHub", format!(r#"{{"HubName":"h{index}"}}"#));
                let answer = answer(sender.send_request(call.request()).await.unwrap()).await;
                assert_eq!(answer.status, 200);
                assert!(answer.text().contains(&format!("hub/h{index}\"")), "{}", answer.text());
                seen.push(answer.headers["x-amzn-requestid"].to_str().unwrap().to_owned());
            }
            seen
        });
    }
    let ids: HashSet<String> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!((ids.len(), world.journal.records().len()), (64 * 20, 64 * 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_creations_wins() {
    let world = World::start().await;
    let call = Call::json("CreateHub", r#"{"HubName":"h1"}"#);
    let (first, second) = tokio::join!(call.send(&world), call.send(&world));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn a_mutation_outlives_its_client() {
    let world = World::start().await;
    let call = Call::json("CreateHub", r#"{"HubName":"wait"}"#);
    {
        let sending = call.send(&world);
        tokio::select! {
            _ = sending => panic!("the handler waits"),
            () = world.handlers.entered.notified() => {}
        }
    }
    until("the connection is gone", || world.gateway.metrics().render().contains("stoa_connections_open 0")).await;
    world.handlers.release.notify_one();
    until("the end is recorded", || world.journal.records().len() == 2).await;
    let record = world.journal.last();
    assert_eq!((record.phase, record.error.is_none()), (Phase::Complete, true));
}

#[tokio::test]
async fn requests_in_flight_finish_before_the_end() {
    let world = World::start().await;
    let call = Call::json("DescribeHub", r#"{"HubName":"wait"}"#);
    let mut sending = Box::pin(call.send(&world));
    tokio::select! {
        _ = &mut sending => panic!("the handler waits"),
        () = world.handlers.entered.notified() => {}
    }
    world.stop.cancel();
    until("nothing new is accepted", || std::net::TcpStream::connect(world.address).is_err()).await;
    assert!(!world.server.is_finished());
    world.handlers.release.notify_one();
    assert_eq!(sending.await.status, 200);
    tokio::time::timeout(Duration::from_secs(5), world.server).await.unwrap().unwrap();
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let world = World::start().await;
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let call = Call::json("DescribeHub", r#"{"HubName":"h1"}"#);
    assert_eq!(answer(sender.send_request(call.request()).await.unwrap()).await.status, 200);
    world.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), world.server).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_is_broken_off() {
    let world = World::with_limits(|limits| limits.shutdown = Duration::from_millis(200)).await;
    let silent = TcpStream::connect(world.address).await.unwrap();
    let call = Call::json("DescribeHub", r#"{"HubName":"wait"}"#);
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let sending = tokio::spawn(sender.send_request(call.request()));
    world.handlers.entered.notified().await;
    world.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), world.server).await.unwrap().unwrap();
    assert!(sending.await.unwrap().is_err());
    drop(silent);
}
