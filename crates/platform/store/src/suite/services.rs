//! Cases of what stands beside documents: tags, outbox, leases, idempotency records.

use futures_util::future::join_all;
use stoa_types::FixedClock;

use super::{Failure, START, key, thing};
use crate::{Expect, IdempotencyRecord, Lease, OutboxEvent, Store, Transaction};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(super) async fn tags(store: &impl Store) -> Result<(), Failure> {
    assert_eq!(*store.tags("arn:a").await?, []);
    store.commit(Transaction::new().set_tags("arn:a", pairs(&[("b", "2"), ("a", "1"), ("B", "")]))).await?;
    assert_eq!(*store.tags("arn:a").await?, pairs(&[("B", ""), ("a", "1"), ("b", "2")]), "in order of key");
    store.commit(Transaction::new().set_tags("arn:a", pairs(&[("c", "1"), ("c", "2")]))).await?;
    assert_eq!(*store.tags("arn:a").await?, pairs(&[("c", "2")]), "replaced, and the last of equal keys stays");
    assert_eq!(*store.tags("arn:A").await?, []);
    store.commit(Transaction::new().set_tags("arn:a", Vec::new())).await?;
    assert_eq!(*store.tags("arn:a").await?, []);
    Ok(())
}

fn event(number: u64) -> OutboxEvent {
    let at = START.plus_millis(number.cast_signed());
    OutboxEvent { topic: format!("topic{number}"), subject: "arn".to_owned(), at, body: format!("{{\"n\":{number}}}") }
}

pub(super) async fn outbox(store: &impl Store) -> Result<(), Failure> {
    store.commit(Transaction::new().emit(event(1)).create(thing("a")?).emit(event(2))).await?;
    assert!(store.commit(Transaction::new().emit(event(99)).create(thing("a")?)).await.is_err());
    store.commit(Transaction::new().emit(event(3))).await?;
    let all = store.outbox(0, 10).await?;
    assert_eq!(all.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), [event(1), event(2), event(3)]);
    let sequences: Vec<u64> = all.iter().map(|(sequence, _)| *sequence).collect();
    assert!(sequences.is_sorted_by(|left, right| left < right));
    assert_eq!(store.outbox(sequences[0], 1).await?, [(sequences[1], event(2))]);
    store.outbox_done(sequences[1]).await?;
    assert_eq!(store.outbox(0, 10).await?, [(sequences[2], event(3))]);
    store.outbox_done(u64::MAX).await?;
    assert_eq!(store.outbox(0, 10).await?, []);
    store.commit(Transaction::new().emit(event(4))).await?;
    assert!(store.outbox(sequences[2], 10).await?.len() == 1, "sequence numbers are never used again");
    Ok(())
}

pub(super) async fn leases(store: &impl Store) -> Result<(), Failure> {
    let lease = |holder: &str, now: i64, until: i64| Lease {
        name: "work".to_owned(),
        holder: holder.to_owned(),
        now: START.plus_millis(now),
        until: START.plus_millis(until),
    };
    assert!(store.lease(&lease("a", 0, 10)).await?);
    assert!(!store.lease(&lease("b", 9, 20)).await?, "held");
    assert!(store.lease(&lease("a", 5, 15)).await?, "renewed by its holder");
    assert!(!store.lease(&lease("b", 14, 20)).await?, "the renewal counts");
    assert!(store.lease(&lease("b", 15, 25)).await?, "taken over once expired");
    assert!(!store.lease(&lease("a", 16, 30)).await?, "the old holder has lost it");
    assert!(store.lease(&Lease { name: "other".to_owned(), ..lease("a", 16, 30) }).await?);
    assert!(store.lease(&lease("b", 20, 20)).await?, "given up by renewing until now");
    let wanted: Vec<Lease> = (0..8).map(|number| lease(&format!("holder{number}"), 20, 40)).collect();
    let results = join_all(wanted.iter().map(|wanted| store.lease(wanted))).await;
    let taken = results.into_iter().collect::<Result<Vec<bool>, _>>()?;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "one of many gets it");
    Ok(())
}

pub(super) async fn idempotency(store: &impl Store, clock: &FixedClock) -> Result<(), Failure> {
    let record = |token: &str, result: &str, expires: i64| IdempotencyRecord {
        scope: "1/us-west-2/CreateThing".to_owned(),
        token: token.to_owned(),
        request_hash: "00ff".to_owned(),
        result: result.to_owned(),
        expires_at: START.plus_millis(expires),
    };
    let scope = "1/us-west-2/CreateThing";
    assert_eq!(store.idempotency(scope, "t").await?, None);
    let first = record("t", "{\"n\":1}", 1000);
    store.commit(Transaction::new().create(thing("a")?).remember(first.clone())).await?;
    assert_eq!(store.idempotency(scope, "t").await?, Some(first.clone()));
    assert_eq!(store.idempotency("other", "t").await?, None);
    let again = Transaction::new().create(thing("b")?).remember(record("t", "{\"n\":2}", 2000));
    let result = store.commit(again.clone()).await;
    assert!(result.is_err_and(|error| error.is_conflict()), "one answer to a token");
    assert_eq!(store.get(&key("b")?).await?, None, "and nothing else of the second request");
    clock.advance_millis(999);
    assert_eq!(store.idempotency(scope, "t").await?, Some(first));
    clock.advance_millis(1);
    assert_eq!(store.idempotency(scope, "t").await?, None, "expired");
    store.commit(again).await?;
    assert_eq!(store.idempotency(scope, "t").await?, Some(record("t", "{\"n\":2}", 2000)));
    let transactions = (0..4).map(|number| Transaction::new().remember(record("race", &number.to_string(), 5000)));
    let results = join_all(transactions.map(|transaction| store.commit(transaction))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "one of many concurrent requests wins");
    store.commit(Transaction::new().require(key("b")?, Expect::Present)).await?;
    Ok(())
}
