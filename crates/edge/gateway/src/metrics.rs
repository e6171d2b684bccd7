//! Counters and latency histograms as plain atomics, printed in Prometheus' text form.
//!
//! INVARIANT: recording takes no lock and allocates nothing; one slot per modelled operation, laid out at start.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use stoa_schema::{OperationSpec, ServiceSpec};

/// Upper bounds of the latency buckets, in microseconds.
const BOUNDS: [u64; 15] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 15_000_000,
    60_000_000,
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Default)]
struct Slot {
    by_class: [AtomicU64; 5],
    buckets: [AtomicU64; BOUNDS.len()],
    micros: AtomicU64,
}

/// What one label pair of a slot says.
#[derive(Debug, Clone, Copy)]
struct Label {
    service: &'static str,
    operation: &'static str,
}

/// All measurements of the front.
#[derive(Debug)]
pub struct Metrics {
    labels: Vec<Label>,
    slots: Vec<Slot>,
    /// Requests being served.
    pub in_flight: AtomicI64,
    /// Open connections.
    pub connections: AtomicI64,
}

/// Which slot a request is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// An operation, by its index.
    Operation(usize),
    /// S3, whose operations its own edge tells apart.
    S3,
    /// Health, metrics and what could not be identified.
    Other,
}

impl Metrics {
    /// One slot for each operation, in the order given, and two more.
    pub fn new(operations: &[(&'static ServiceSpec, &'static OperationSpec)]) -> Metrics {
        let mut labels: Vec<Label> =
            operations.iter().map(|(service, spec)| Label { service: service.name, operation: spec.name }).collect();
        labels.push(Label { service: "s3", operation: "all" });
        labels.push(Label { service: "other", operation: "all" });
        let slots = labels.iter().map(|_| Slot::default()).collect();
        Metrics { labels, slots, in_flight: AtomicI64::new(0), connections: AtomicI64::new(0) }
    }

    /// Counts an answered request.
    pub fn record(&self, counted: Counted, status: u16, elapsed: Duration) {
        let index = match counted {
            Counted::Operation(index) => index,
            Counted::S3 => self.slots.len() - 2,
            Counted::Other => self.slots.len() - 1,
        };
        let Some(slot) = self.slots.get(index) else { return };
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        if let Some(count) = slot.by_class.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        slot.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(bucket) = slot.buckets.get(BOUNDS.partition_point(|bound| *bound < micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The text that Prometheus scrapes; operations nobody called are left out.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(4096);
        let mut histograms = String::with_capacity(4096);
        text.push_str("# TYPE stoa_requests_total counter\n");
        for (label, slot) in self.labels.iter().zip(&self.slots) {
            let mut total = 0;
            for (class, count) in CLASSES.iter().zip(&slot.by_class) {
                let count = count.load(Ordering::Relaxed);
                total += count;
                if count > 0 {
                    let Label { service, operation } = label;
                    let _ = writeln!(
                        text,
                        "stoa_requests_total{{service=\"{service}\",operation=\"{operation}\",status=\"{class}\"}} {count}"
                    );
                }
            }
            if total > 0 {
                render_histogram(&mut histograms, *label, slot, total);
            }
        }
        text.push_str("# TYPE stoa_request_duration_seconds histogram\n");
        text.push_str(&histograms);
        let gauges = [("stoa_requests_in_flight", &self.in_flight), ("stoa_connections_open", &self.connections)];
        for (name, gauge) in gauges {
            let _ = writeln!(text, "# TYPE {name} gauge\n{name} {}", gauge.load(Ordering::Relaxed));
        }
        text
    }
}

fn render_histogram(out: &mut String, label: Label, slot: &Slot, total: u64) {
    let Label { service, operation } = label;
    let labels = format!("service=\"{service}\",operation=\"{operation}\"");
    let mut sum = 0;
    for (bound, count) in BOUNDS.iter().zip(&slot.buckets) {
        sum += count.load(Ordering::Relaxed);
        let bound = *bound as f64 / 1e6;
        let _ = writeln!(out, "stoa_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {sum}");
    }
    let _ = writeln!(out, "stoa_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {total}");
    let seconds = slot.micros.load(Ordering::Relaxed) as f64 / 1e6;
    let _ = writeln!(out, "stoa_request_duration_seconds_sum{{{labels}}} {seconds}");
    let _ = writeln!(out, "stoa_request_duration_seconds_count{{{labels}}} {total}");
}
