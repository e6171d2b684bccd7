//! What hand-written targets are said to set, for the tests that drive them with a full input.
//!
//! One operation a line: service, operation, its own action, then condition keys and dependent actions.

/// An operation with hand-written targets.
#[derive(Debug)]
pub struct Declared {
    /// `AttachRolePolicy`.
    pub operation: &'static str,
    /// `iam:AttachRolePolicy`.
    pub action: &'static str,
    /// Condition keys (`aws:RequestTag/*` for any) and dependent actions.
    pub sets: Vec<&'static str>,
}

/// The operations of a service (by its folder name) whose targets are hand-written.
pub fn hand_written(service: &str) -> Vec<Declared> {
    let lines = include_str!("generated/custom_keys.txt").lines().filter(|line| !line.starts_with('#'));
    let read = |line: &'static str| {
        let mut words = line.split_whitespace();
        let of = words.next()?;
        let (operation, action) = (words.next()?, words.next()?);
        (of == service).then(|| Declared { operation, action, sets: words.collect() })
    };
    lines.filter_map(read).collect()
}

impl Declared {
    /// What of it is not among these targets, each an action with its keys in lower case.
    pub fn missing(&self, targets: &[(String, Vec<String>)]) -> Vec<&'static str> {
        let own = || targets.iter().filter(|(action, _)| action == self.action).flat_map(|(_, keys)| keys);
        let has_key = |wanted: &str| {
            let wanted = wanted.to_ascii_lowercase();
            own().any(|key| match wanted.strip_suffix('*') {
                Some(start) => key.starts_with(start),
                None => *key == wanted,
            })
        };
        let is_there = |wanted: &&'static str| has_key(wanted) || targets.iter().any(|(action, _)| action == *wanted);
        self.sets.iter().copied().filter(|wanted| !is_there(wanted)).collect()
    }
}
