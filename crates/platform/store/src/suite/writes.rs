//! Cases of transactions: expectations, atomicity, order, versions.

use futures_util::future::join_all;

use super::{Failure, START, account, conflicts, key, thing};
use crate::{BlobName, Document, Expect, Key, OutboxEvent, Store, Transaction};

pub(super) async fn create_update_delete(store: &impl Store) -> Result<(), Failure> {
    let key = key("a")?;
    assert_eq!(store.get(&key).await?, None);
    let made = thing("a")?.with_parent("p").with_status("Creating");
    store.commit(Transaction::new().create(made.clone())).await?;
    let read = store.get(&key).await?.ok_or("created but not there")?;
    assert_eq!(*read, Document { generation: 1, ..made });
    let later = START.plus_millis(7);
    let changed = read.with_body(later, &"second")?.with_status("InService");
    store.commit(Transaction::new().update(changed.clone())).await?;
    let read = store.get(&key).await?.ok_or("updated but not there")?;
    assert_eq!(*read, Document { generation: 2, ..changed.clone() });
    assert_eq!((read.created, read.modified, read.decode::<String>()?), (START, later, "second".to_owned()));
    conflicts(store.commit(Transaction::new().update(changed)).await, &key, Some(2));
    store.commit(Transaction::new().delete(key.clone(), Expect::Generation(2))).await?;
    assert_eq!(store.get(&key).await?, None);
    store.commit(Transaction::new().create(thing("a")?)).await?;
    assert_eq!(store.get(&key).await?.map(|document| document.generation), Some(1));
    Ok(())
}

pub(super) async fn expectations(store: &impl Store) -> Result<(), Failure> {
    let (there, missing) = (key("there")?, key("missing")?);
    store.commit(Transaction::new().put(thing("there")?)).await?;
    let delete = |key: &Key, expect| Transaction::new().delete(key.clone(), expect);
    let require = |key: &Key, expect| Transaction::new().require(key.clone(), expect);
    conflicts(store.commit(Transaction::new().create(thing("there")?)).await, &there, Some(1));
    conflicts(store.commit(Transaction::new().update(thing("missing")?)).await, &missing, None);
    for transaction in [delete, require] {
        conflicts(store.commit(transaction(&there, Expect::Absent)).await, &there, Some(1));
        conflicts(store.commit(transaction(&there, Expect::Generation(2))).await, &there, Some(1));
        conflicts(store.commit(transaction(&missing, Expect::Present)).await, &missing, None);
        conflicts(store.commit(transaction(&missing, Expect::Generation(1))).await, &missing, None);
        store.commit(transaction(&missing, Expect::Absent)).await?;
        store.commit(transaction(&missing, Expect::Any)).await?;
    }
    store.commit(require(&there, Expect::Present)).await?;
    store.commit(require(&there, Expect::Generation(1))).await?;
    assert_eq!(store.get(&there).await?.map(|document| document.generation), Some(1), "a requirement writes nothing");
    store.commit(Transaction::new().put(thing("there")?)).await?;
    assert_eq!(store.get(&there).await?.map(|document| document.generation), Some(2));
    store.commit(delete(&there, Expect::Any)).await?;
    assert_eq!(store.get(&there).await?, None);
    Ok(())
}

pub(super) async fn one_of_two_creates_wins(store: &impl Store) -> Result<(), Failure> {
    for round in 0..50 {
        let id = format!("thing-{round}");
        let create = |body: &str| -> Result<_, Failure> {
            Ok(store.commit(Transaction::new().create(thing(&id)?.with_status(body))))
        };
        let results = join_all([create("left")?, create("right")?]).await;
        let won: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_ne!(won[0], won[1], "exactly one of two creates wins");
        let wanted = if won[0] { "left" } else { "right" };
        let read = store.get(&key(&id)?).await?.ok_or("nobody won")?;
        assert_eq!((read.status.as_str(), read.generation), (wanted, 1));
    }
    Ok(())
}

pub(super) async fn one_of_many_updates_wins(store: &impl Store) -> Result<(), Failure> {
    let key = key("counted")?;
    store.commit(Transaction::new().create(Document::new(key.clone(), "counted", START, &0_u64)?)).await?;
    let increment = async || -> Result<(), Failure> {
        loop {
            let read = store.get(&key).await?.ok_or("gone")?;
            let more = read.with_body(START, &(read.decode::<u64>()? + 1))?;
            match store.commit(Transaction::new().update(more)).await {
                Err(error) if error.is_conflict() => {}
                other => return Ok(other?),
            }
        }
    };
    for result in join_all((0..20).map(|_| increment())).await {
        result?;
    }
    let read = store.get(&key).await?.ok_or("gone")?;
    assert_eq!((read.decode::<u64>()?, read.generation), (20, 21), "no increment is lost");
    Ok(())
}

pub(super) async fn all_or_nothing(store: &impl Store) -> Result<(), Failure> {
    store.commit(Transaction::new().create(thing("old")?).create(thing("kept")?).set_tags("arn", tag("a"))).await?;
    let event = OutboxEvent { topic: "t".into(), subject: "s".into(), at: START, body: "{}".into() };
    let version = store.version("test:");
    let doomed = Transaction::new()
        .create(thing("new")?)
        .put(thing("old")?.with_status("changed"))
        .delete(key("kept")?, Expect::Present)
        .set_tags("arn", tag("b"))
        .set_tags("other", tag("c"))
        .emit(event)
        .require(key("missing")?, Expect::Present);
    conflicts(store.commit(doomed).await, &key("missing")?, None);
    assert_eq!(store.get(&key("new")?).await?, None);
    let old = store.get(&key("old")?).await?.ok_or("lost")?;
    assert_eq!((old.status.as_str(), old.generation), ("", 1));
    assert!(store.get(&key("kept")?).await?.is_some());
    assert_eq!(*store.tags("arn").await?, tag("a"));
    assert_eq!(*store.tags("other").await?, []);
    assert_eq!(store.outbox(0, 10).await?, []);
    assert_eq!(store.version("test:"), version);
    Ok(())
}

pub(super) async fn changes_apply_in_order(store: &impl Store) -> Result<(), Failure> {
    let twice = Transaction::new()
        .create(thing("a")?)
        .require(key("a")?, Expect::Generation(1))
        .put(thing("a")?.with_status("second"))
        .delete(key("b")?, Expect::Absent)
        .create(thing("b")?)
        .delete(key("b")?, Expect::Generation(1));
    store.commit(twice).await?;
    let read = store.get(&key("a")?).await?.ok_or("lost")?;
    assert_eq!((read.status.as_str(), read.generation), ("second", 2));
    assert_eq!(store.get(&key("b")?).await?, None);
    Ok(())
}

pub(super) async fn keys_are_apart(store: &impl Store) -> Result<(), Failure> {
    let base = key("same")?;
    let keys = [
        base.clone(),
        Key { kind: "test:other", ..base.clone() },
        Key { account: account(2), ..base.clone() },
        Key { region: None, ..base.clone() },
        Key { region: Some("eu-west-1".parse()?), ..base.clone() },
        Key { id: "Same".to_owned(), ..base.clone() },
        Key { id: "same ".to_owned(), ..base },
    ];
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(store.get(key).await?, None);
        store.commit(Transaction::new().create(Document::new(key.clone(), "n", START, &number)?)).await?;
    }
    for (number, key) in keys.iter().enumerate() {
        let read = store.get(key).await?.ok_or("lost")?;
        assert_eq!((&read.key, read.decode::<usize>()?), (key, number));
    }
    Ok(())
}

pub(super) async fn versions_grow(store: &impl Store) -> Result<(), Failure> {
    let all = || (store.version("test:"), store.version("test:thing"), store.version("iam:"), store.version(""));
    let start = all();
    store.commit(Transaction::new().create(thing("a")?)).await?;
    let made = all();
    assert!(made.0 > start.0 && made.1 > start.1 && made.3 > start.3);
    assert_eq!(made.2, start.2, "another kind is not touched");
    store.commit(Transaction::new().require(key("a")?, Expect::Present)).await?;
    assert_eq!(all(), made, "a requirement touches nothing");
    store.commit(Transaction::new().set_tags("arn", tag("a"))).await?;
    assert_eq!((store.version("test:"), store.version("tags:")), (made.0, 1));
    store.commit(Transaction::new().delete(key("a")?, Expect::Present)).await?;
    assert!(store.version("test:") > made.0);
    Ok(())
}

pub(super) async fn blobs_are_named(store: &impl Store) -> Result<(), Failure> {
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let name = |id: &str, digest: &str| -> Result<BlobName, Failure> { Ok(BlobName::of(&key(id)?, digest)) };
    let start = BlobName::before("");
    let made = thing("a")?.with_blobs([two.as_str(), &one, &two]);
    assert_eq!(made.blobs, [one.clone(), two.clone()], "sorted, each once");
    store.commit(Transaction::new().create(made).create(thing("b")?.with_blobs([&one])).create(thing("c")?)).await?;
    let all = [name("a", &one)?, name("b", &one)?, name("a", &two)?];
    assert_eq!(store.blob_names(&start, 10).await?, all);
    assert_eq!(store.blob_names(&start, 2).await?, all[..2]);
    assert_eq!(store.blob_names(&all[0], 10).await?, all[1..], "after a name");
    assert_eq!(store.blob_names(&BlobName::before(&two), 10).await?, all[2..]);
    assert_eq!(store.blob_names(&BlobName::behind(&one), 10).await?, all[2..]);
    assert_eq!(store.blob_names(&BlobName::behind(&two), 10).await?, []);
    let read = store.get(&key("a")?).await?.ok_or("gone")?;
    assert_eq!(read.blobs, [one.clone(), two.clone()], "what was written is read");
    let page = store.query(&crate::Query { name: Some("b".to_owned()), ..crate::Query::of("test:thing") }).await?;
    assert_eq!(page.documents.first().map(|document| document.blobs.clone()), Some(vec![one.clone()]));
    let kept = read.with_body(START, &"another body")?;
    store.commit(Transaction::new().update(kept)).await?;
    assert_eq!(store.blob_names(&start, 10).await?, all, "a new body names what the old one named");
    let doomed = Transaction::new().put(thing("a")?).delete(key("b")?, Expect::Any).create(thing("c")?);
    assert!(store.commit(doomed).await.is_err());
    assert_eq!(store.blob_names(&start, 10).await?, all, "a transaction that failed changes no names");
    store.commit(Transaction::new().put(thing("a")?.with_blobs([&two])).put(thing("c")?.with_blobs([&two]))).await?;
    assert_eq!(store.blob_names(&start, 10).await?, [name("b", &one)?, name("a", &two)?, name("c", &two)?]);
    let twice = Transaction::new().put(thing("d")?.with_blobs([&one])).delete(key("d")?, Expect::Any);
    store.commit(twice.delete(key("b")?, Expect::Any).put(thing("c")?)).await?;
    assert_eq!(store.blob_names(&start, 10).await?, [name("a", &two)?]);
    Ok(())
}

fn tag(value: &str) -> Vec<(String, String)> {
    vec![("key".to_owned(), value.to_owned())]
}
