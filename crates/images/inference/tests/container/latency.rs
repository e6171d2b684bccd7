//! A plain measurement, printed and not judged: the median of a tabular invocation over a Unix socket, and the memory
//! that a served text generator takes. `cargo test -p stoa-image-inference -- --ignored --nocapture measure`.

use std::time::Instant;

use serde_json::json;

use crate::support::{Container, artifact, invocation, send_raw};

const ROW: &str =
    "{\"instances\": [{\"sepal_length\": 5.1, \"sepal_width\": 3.5, \"petal_length\": 1.4, \"petal_width\": 0.2}]}";

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn median_micros(id: &str, body: &str, count: usize) -> u128 {
    let container = Container::start(&artifact(id, "1.0.0"));
    let (mut client, ..) = container.ready().await;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let request = invocation("application/json", body.to_owned());
        let start = Instant::now();
        assert_eq!(send_raw(&mut client, request).await.status(), 200);
        times.push(start.elapsed().as_micros());
    }
    times.sort_unstable();
    times[count / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn measure_latency_and_memory() {
    let before = resident_kib();
    let story = json!({"inputs": "Mira the miller lived", "parameters": {"max_new_tokens": 40}}).to_string();
    println!("text generation, 40 tokens: p50 {} us", median_micros("stoa-textgeneration-tiny", &story, 50).await);
    println!(
        "resident memory: {before} KiB before, {} KiB with the text generator served (client included)",
        resident_kib()
    );
    println!("tabular: p50 {} us", median_micros("sklearn-tabularclassification-iris", ROW, 2000).await);
}
