//! The container over a real Unix socket: states of `/ping`, statuses of errors, keep-alive, limits, the orderly end.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use stoa_image_inference::{ContainerConfig, Listen, run};

use crate::support::{Container, artifact, connect, invocation, send, send_raw};

const ROW: &str =
    "{\"instances\": [{\"sepal_length\": 5.1, \"sepal_width\": 3.5, \"petal_length\": 1.4, \"petal_width\": 0.2}]}";

fn iris() -> std::path::PathBuf {
    artifact("sklearn-tabularclassification-iris", "1.0.0")
}

#[tokio::test]
async fn one_connection_pings_and_predicts_many_times() {
    let container = Container::start(&iris());
    let (mut client, status, body) = container.ready().await;
    assert_eq!((status, body["task"].as_str()), (200, Some("tabular-classification")));
    for _ in 0..20 {
        let (status, body) = send(&mut client, invocation("application/json", ROW)).await;
        assert_eq!((status, body["predictions"][0]["label"].as_str()), (200, Some("setosa")));
    }
    let request = Request::post("/invocations").header("content-type", "text/csv").header("accept", "text/csv");
    let answer = send_raw(&mut client, request.body(Full::from("5.1,3.5,1.4,0.2")).unwrap()).await;
    assert_eq!(answer.headers()["content-type"], "text/csv");
    assert!(answer.body().starts_with(b"setosa,"));
}

#[tokio::test]
async fn errors_have_their_statuses_and_the_container_lives_on() {
    let container = Container::start_with(&iris(), |config| config.max_body_bytes = 1000);
    let (mut client, ..) = container.ready().await;
    let accept_png =
        Request::post("/invocations").header("content-type", "application/json").header("accept", "image/png");
    for (expected, request) in [
        (400, invocation("application/json", "{\"instances\": [")),
        (400, invocation("application/json", "{\"instances\": [[1]]}")),
        (415, invocation("image/png", "PNG")),
        (415, invocation("application/x-text", "words")),
        (406, accept_png.body(Full::from(ROW)).unwrap()),
        (405, Request::get("/invocations").body(Full::default()).unwrap()),
        (405, Request::post("/ping").body(Full::default()).unwrap()),
        (404, Request::get("/models").body(Full::default()).unwrap()),
    ] {
        let (status, body) = send(&mut client, request).await;
        assert_eq!(status, expected, "{body}");
        assert_eq!(body["code"], expected);
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
    let (status, body) = send(&mut container.client().await, invocation("application/json", vec![b' '; 2000])).await;
    assert_eq!((status, body["code"].as_u64()), (413, Some(413)));
    let (status, _) = send(&mut container.client().await, invocation("application/json", ROW)).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_reported_by_ping() {
    let folder = tempfile::tempdir().unwrap();
    let container = Container::start(folder.path());
    let (mut client, status, body) = container.ready().await;
    assert_eq!((status, &body), (503, &json!({"status": "failed", "message": "the model folder has no .onnx file"})));
    let (status, body) = send(&mut client, invocation("application/json", ROW)).await;
    assert_eq!((status, &body["message"]), (503, &json!("the model folder has no .onnx file")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ping_answers_while_the_model_computes_and_the_end_waits_for_the_answer() {
    let container = Container::start_with(&artifact("stoa-textgeneration-tiny", "1.0.0"), |config| config.workers = 1);
    let (mut client, ..) = container.ready().await;
    let body = json!({"inputs": vec!["Mira the miller"; 40], "parameters": {"max_new_tokens": 120}}).to_string();
    let mut busy = container.client().await;
    let long = tokio::spawn(async move { send(&mut busy, invocation("application/json", body)).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (status, _) = send(&mut client, Request::get("/ping").body(Full::<Bytes>::default()).unwrap()).await;
    assert!(status == 200 && !long.is_finished(), "the long request must still run for this test to say something");
    container.stop.cancel();
    let (status, answers) = long.await.unwrap();
    assert_eq!((status, answers.as_array().map(Vec::len)), (200, Some(40)));
    container.done.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_frees_the_worker() {
    let container = Container::start_with(&artifact("stoa-textgeneration-tiny", "1.0.0"), |config| config.workers = 1);
    let (client, ..) = container.ready().await;
    drop(client);
    let body = json!({"inputs": vec!["Mira the miller"; 1000], "parameters": {"max_new_tokens": 120}}).to_string();
    let mut gone = container.client().await;
    // Dropping the future drops the connection with it.
    let _ =
        tokio::time::timeout(Duration::from_millis(50), send(&mut gone, invocation("application/json", body))).await;
    drop(gone);
    let short = json!({"inputs": "Mira the miller", "parameters": {"max_new_tokens": 4}}).to_string();
    let mut client = container.client().await;
    let answer =
        tokio::time::timeout(Duration::from_secs(5), send(&mut client, invocation("application/json", short))).await;
    assert_eq!(answer.unwrap().0, 200);
}

#[tokio::test]
async fn sigterm_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    // An old socket file of a killed predecessor is in the way.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let container = tokio::spawn(run(ContainerConfig::new(iris(), Listen::Unix(socket.clone()))));
    let mut client = connect(&socket).await;
    let (status, _) = send(&mut client, Request::get("/ping").body(Full::default()).unwrap()).await;
    assert!(status == 200 || status == 503);
    // The handler is in place: `run` sets it up before it opens the socket.
    let done = std::process::Command::new("kill").args(["-TERM", &std::process::id().to_string()]).status().unwrap();
    assert!(done.success());
    tokio::time::timeout(Duration::from_secs(5), container).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn tcp_works_as_well() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let container = Container::start_with(&iris(), |config| config.listen = Listen::Tcp(address));
    for _ in 0..400 {
        if let Ok(stream) = tokio::net::TcpStream::connect(address).await {
            let (mut client, connection) =
                hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let (status, _) = send(&mut client, Request::get("/ping").body(Full::default()).unwrap()).await;
            assert!(status == 200 || status == 503);
            container.stop.cancel();
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing listens on {address}");
}
