//! What the scanner makes of files: honest ones, hostile ones, and any bytes at all.

#![cfg(test)]

mod bounded;
mod driving;
mod evasions;
mod making;
mod python;
mod scans;
