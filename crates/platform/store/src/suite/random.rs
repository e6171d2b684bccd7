//! Random operations on two stores: whatever one answers, the other must.

use super::{Failure, START, account, region};
use crate::{
    Change, Document, Expect, Key, Order, OutboxEvent, Outcome, Query, SortBy, Store, StoreError, TimeRange,
    Transaction,
};

/// SplitMix64: a plain sequence from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let index = self.roll(choices.len() as u64);
        &choices[index as usize]
    }
    fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.roll(3) == 0).then_some(value)
    }
    fn key(&mut self) -> Result<Key, Failure> {
        let regions = [None, Some(region("us-west-2")?), Some(region("eu-west-1")?)];
        let kind = *self.of(&["test:a", "test:b"]);
        let id = format!("id{}", self.roll(6));
        Ok(Key { kind, account: account(1 + self.roll(2)), region: self.of(&regions).clone(), id })
    }
    fn document(&mut self) -> Result<Document, Failure> {
        let name = format!("{}{}", self.of(&["alpha", "Beta", "b%_"]), self.roll(4));
        let mut document = Document::new(self.key()?, &name, START.plus_millis(self.roll(5) as i64), &self.roll(100))?;
        document.modified = START.plus_millis(self.roll(5) as i64);
        document.status = (*self.of(&["", "Creating", "InService", "Failed"])).to_owned();
        document.parent = [None, Some("p".to_owned()), Some("q".to_owned())][self.roll(3) as usize].clone();
        document.schema = 1 + self.roll(3) as u32;
        let blobs: Vec<String> = (0..self.roll(3)).map(|_| format!("{:064}", self.roll(5))).collect();
        document = document.with_blobs(blobs);
        Ok(document)
    }
    fn expect(&mut self) -> Expect {
        match self.roll(6) {
            0 => Expect::Absent,
            1 => Expect::Present,
            2 => Expect::Generation(1 + self.roll(3)),
            _ => Expect::Any,
        }
    }
    fn transaction(&mut self) -> Result<Transaction, Failure> {
        let mut changes = Vec::new();
        for _ in 0..=self.roll(4) {
            changes.push(match self.roll(8) {
                0 => Change::Delete { key: self.key()?, expect: self.expect() },
                1 => Change::Require { key: self.key()?, expect: self.expect() },
                2 => {
                    let tags = (0..self.roll(3)).map(|n| (format!("k{n}"), format!("v{}", self.roll(9)))).collect();
                    Change::SetTags { arn: format!("arn{}", self.roll(3)), tags }
                }
                3 => Change::Emit(OutboxEvent {
                    topic: "t".to_owned(),
                    subject: format!("s{}", self.roll(9)),
                    at: START,
                    body: "{}".to_owned(),
                }),
                _ => Change::Put { document: self.document()?, expect: self.expect() },
            });
        }
        Ok(Transaction { changes })
    }
    fn range(&mut self) -> TimeRange {
        let (after, before) = (START.plus_millis(self.roll(5) as i64), START.plus_millis(self.roll(5) as i64));
        TimeRange { after: self.maybe(after), before: self.maybe(before) }
    }
    fn query(&mut self) -> Result<Query, Failure> {
        let key = self.key()?;
        let name = self.document()?.name;
        Ok(Query {
            kind: key.kind,
            account: self.maybe(key.account),
            region: if self.roll(3) == 0 { key.region } else { None },
            parent: self.maybe("p".to_owned()),
            name: self.maybe(name),
            name_prefix: self.maybe("b%".to_owned()),
            name_contains: self.maybe("B".to_owned()),
            statuses: self.maybe(vec!["Failed".to_owned(), "InService".to_owned()]).unwrap_or_default(),
            created: self.range(),
            modified: self.range(),
            sort_by: *self.of(&[SortBy::Name, SortBy::Created, SortBy::Modified, SortBy::Status]),
            order: *self.of(&[Order::Ascending, Order::Descending]),
            after: None,
            limit: 1 + self.roll(5) as usize,
        })
    }
}

/// What of an error callers can tell.
fn told(error: StoreError) -> (Option<(Key, Option<u64>)>, Option<Outcome>) {
    match error {
        StoreError::Conflict { key, found } => (Some((*key, found)), None),
        StoreError::Backend { outcome, .. } => (None, Some(outcome)),
        StoreError::Corrupt { .. } | StoreError::Encoding(_) => (None, None),
    }
}

/// Runs the same random steps on both stores and compares every answer.
pub async fn same_behaviour(left: &dyn Store, right: &dyn Store, seed: u64, steps: usize) -> Result<(), Failure> {
    let mut dice = Dice(seed);
    for step in 0..steps {
        let transaction = dice.transaction()?;
        let results = (left.commit(transaction.clone()).await, right.commit(transaction.clone()).await);
        let results = (results.0.map_err(told), results.1.map_err(told));
        assert_eq!(results.0, results.1, "seed {seed} step {step}: {transaction:?}");
        let key = dice.key()?;
        assert_eq!(left.get(&key).await?, right.get(&key).await?, "seed {seed} step {step}: {key}");
        let arn = format!("arn{}", dice.roll(3));
        assert_eq!(left.tags(&arn).await?, right.tags(&arn).await?, "seed {seed} step {step}: {arn}");
        assert_eq!(left.version("test:"), right.version("test:"), "seed {seed} step {step}");
        let mut query = dice.query()?;
        assert_eq!(left.count(&query).await?, right.count(&query).await?, "seed {seed} step {step}: {query:?}");
        loop {
            let pages = (left.query(&query).await?, right.query(&query).await?);
            assert_eq!(pages.0.documents, pages.1.documents, "seed {seed} step {step}: {query:?}");
            assert_eq!(pages.0.next, pages.1.next, "seed {seed} step {step}: {query:?}");
            match pages.0.next {
                None => break,
                Some(next) => query.after = Some(next),
            }
        }
    }
    let start = crate::BlobName::before("");
    let names = (left.blob_names(&start, usize::MAX).await?, right.blob_names(&start, usize::MAX).await?);
    assert_eq!(names.0, names.1, "seed {seed}");
    let events = |events: Vec<(u64, OutboxEvent)>| events.into_iter().map(|(_, event)| event).collect::<Vec<_>>();
    let outboxes = (left.outbox(0, usize::MAX).await?, right.outbox(0, usize::MAX).await?);
    assert_eq!(events(outboxes.0), events(outboxes.1), "seed {seed}");
    Ok(())
}
