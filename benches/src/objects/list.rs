//! Listing a page of 1,000 from a bucket of few and of many keys, also right after a write to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::aws::Caller;
use crate::load::median;
use crate::s3;
use crate::stoa::Stoa;
use crate::wire::{Client, Outcome};
use crate::{BUCKET, Figure};

const FEW: u64 = 10_000;
const WRITERS: usize = 64;

fn key(number: u64) -> String {
    format!("models/family-{:03}/file-{number:07}", number % 1000)
}

/// Writes the keys of this range; their bytes are all the same, so there is one blob.
fn fill(caller: &Caller, from: u64, to: u64) -> Outcome<()> {
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        let write = || -> Outcome<()> {
            let mut client = Client::connect(&caller.address)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= to {
                    return Ok(());
                }
                let answer = client.call(&s3::small_put(caller, &key(number), b"x")?)?;
                if answer.status != 200 {
                    return Err(format!("PutObject answered {}", answer.status).into());
                }
            }
        };
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| "a writer died")?)
    })
}

/// Milliseconds of a page: repeated, each with another start; and with a write before it.
fn pages(caller: &Caller, count: u64, rounds: usize) -> Outcome<(f64, f64, f64)> {
    let mut client = Client::connect(&caller.address)?;
    let (mut plain, mut rolled, mut after_write) = (Vec::new(), Vec::new(), Vec::new());
    let time = |client: &mut Client<_>, query: &str, into: &mut Vec<f64>| -> Outcome<()> {
        let request = s3::get(caller, &format!("/{BUCKET}"), query)?;
        let began = Instant::now();
        let answer = client.call(&request)?;
        into.push(began.elapsed().as_secs_f64() * 1e3);
        if answer.status != 200 {
            return Err(format!("ListObjectsV2: {}", String::from_utf8_lossy(&answer.body)).into());
        }
        Ok(())
    };
    for round in 0..(rounds as u64 * 4) {
        let start = key((round * 7919) % count).replace('/', "%2F");
        time(&mut client, &format!("list-type=2&start-after={start}"), &mut plain)?;
        time(&mut client, "delimiter=%2F&list-type=2&prefix=models%2F", &mut rolled)?;
        client.call(&s3::small_put(caller, &key(round), b"x")?)?;
        time(&mut client, "list-type=2", &mut after_write)?;
    }
    Ok((median(&plain), median(&rolled), median(&after_write)))
}

pub fn measure(server: &Stoa, caller: &Caller, many: u64, rounds: usize, figures: &mut Vec<Figure>) -> Outcome<()> {
    crate::progress("listings of a small bucket");
    fill(caller, 0, FEW)?;
    let few = pages(caller, FEW, rounds)?;
    crate::progress("listings of a large bucket (filling it takes minutes)");
    let began = Instant::now();
    fill(caller, FEW, many)?;
    let rate = (many - FEW) as f64 / began.elapsed().as_secs_f64();
    let lots = pages(caller, many, rounds)?;
    let rows = [
        ("list of 1,000 keys", few.0, lots.0),
        ("list of 1,000 prefixes by delimiter", few.1, lots.1),
        ("first page right after a write", few.2, lots.2),
    ];
    for (what, small, large) in rows {
        figures.push(Figure {
            what: format!("{what}: bucket of {FEW}, of {many}"),
            value: format!("{small:.1} ms, {large:.1} ms: {:.2} x", large / small),
            aim: "20 ms",
            met: Some(large <= 20.0),
        });
    }
    figures.push(Figure {
        what: "PUTs of one byte while it was filled".to_owned(),
        value: format!("{rate:.0}/s, {:.0} MiB resident at the end", server.resident_mib()?),
        aim: "",
        met: None,
    });
    Ok(())
}
