//! Closed-loop load: each connection sends its request again as soon as the answer is there.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wire::{Outcome, measure};

/// What one burst gave.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

/// The value below which this share of the sorted values lies.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 - 1.0) * share).round().max(0.0);
    sorted.get(at as usize).copied().unwrap_or(f64::NAN)
}

/// The middle of some values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}

/// One thread, so many connections as there are requests, for this long. Latencies in microseconds. Every answer must
/// be a 200.
pub fn burst(address: &str, requests: &[Vec<u8>], time: Duration) -> Outcome<Burst> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut latencies, took) = runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in requests {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let began = Instant::now();
        let end = began + time;
        let tasks: Vec<_> = streams
            .into_iter()
            .zip(requests)
            .map(|(stream, request)| tokio::spawn(one_connection(stream, request.clone(), end)))
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        Outcome::Ok((all, began.elapsed().as_secs_f64()))
    })?;
    latencies.sort_by(f64::total_cmp);
    Ok(Burst {
        per_second: latencies.len() as f64 / took,
        p50: quantile(&latencies, 0.5),
        p99: quantile(&latencies, 0.99),
    })
}

async fn one_connection(mut stream: TcpStream, request: Vec<u8>, end: Instant) -> Outcome<Vec<f64>> {
    let mut latencies = Vec::with_capacity(4096);
    let mut buffer = vec![0; 16 * 1024];
    // The same request gets answers of the same length; a whole head is looked at only until that length is known.
    loop {
        let sent = Instant::now();
        if sent >= end {
            return Ok(latencies);
        }
        stream.write_all(&request).await?;
        let mut filled = 0;
        loop {
            let count = stream.read(buffer.get_mut(filled..).unwrap_or_default()).await?;
            if count == 0 {
                return Err("the server closed a connection".into());
            }
            filled += count;
            let so_far = buffer.get(..filled).unwrap_or_default();
            if let Some((status, total)) = measure(so_far)? {
                if status != 200 {
                    return Err(format!("answered {status}: {}", String::from_utf8_lossy(so_far)).into());
                }
                if filled >= total {
                    break;
                }
            }
        }
        latencies.push(sent.elapsed().as_secs_f64() * 1e6);
    }
}
