//! Versions, tags and pages.

use stoa_models_sagemaker::types::Tag;
use stoa_store::PageTokens;
use stoa_types::Timestamp;

use crate::{Paging, SortKey, Version, new_tags};

const NOW: i64 = 1_800_000_000_000;

fn tag(key: &str) -> Tag {
    Tag { key: key.to_owned(), value: "v".to_owned() }
}

#[test]
fn versions_compare_as_numbers() {
    let mut versions: Vec<Version> =
        ["1.10.0", "1.2.0", "0.9.9999", "2.0.0"].iter().map(|text| text.parse().unwrap()).collect();
    versions.sort();
    let texts: Vec<String> = versions.iter().map(Version::to_string).collect();
    assert_eq!(texts, ["0.9.9999", "1.2.0", "1.10.0", "2.0.0"]);
    assert!(versions.windows(2).all(|pair| pair[0].rank() < pair[1].rank()));
    assert_eq!(Version::new(1, 2, 3).next(), Some(Version::new(1, 2, 4)));
    assert_eq!(Version::new(1, 2, 9999).next(), None);
    for bad in ["", "1", "1.0", "1.0.0.0", "1.0.x", "1a0b0", "1.0.10000", "01.0.0", "1..0", " 1.0.0", "-1.0.0"] {
        assert!(bad.parse::<Version>().is_err(), "{bad}");
    }
}

#[test]
fn tags_are_checked() {
    assert_eq!(new_tags(None).unwrap(), []);
    let keys: Vec<String> = new_tags(Some(&[tag("b"), tag("a")])).unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "b"]);
    assert!(new_tags(Some(&[tag("a"), tag("a")])).unwrap_err().message().contains("Duplicate tag key"));
    assert!(new_tags(Some(&[tag("AWS:x")])).unwrap_err().message().contains("reserved"));
    let many: Vec<Tag> = (0..51).map(|number| tag(&number.to_string())).collect();
    assert!(new_tags(Some(&many)).unwrap_err().message().contains("at most 50"));
    assert_eq!(new_tags(Some(&many[..50])).unwrap().len(), 50);
}

fn paging<'a>(tokens: &'a PageTokens, scope: &str, ascending: bool, next_token: Option<String>) -> Paging<'a> {
    let now = Timestamp::from_millis(NOW);
    Paging { tokens, scope: scope.to_owned(), ascending, max_results: Some(2), next_token, now }
}

#[test]
fn pages_go_on_from_a_point_in_the_order() {
    let tokens = PageTokens::new([7; 32]);
    let key = |item: &(i64, &str)| (SortKey::Number(item.0), item.1.to_owned());
    for ascending in [true, false] {
        let mut items = vec![(2, "c"), (1, "a"), (2, "b"), (3, "d"), (0, "e")];
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let (page, next) = paging(&tokens, "s", ascending, token).page(items.clone(), key).unwrap();
            assert!(page.len() <= 2);
            seen.extend(page);
            // One that was shown goes away between pages: nothing is skipped.
            items.retain(|item| item.1 != "e");
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        let mut wanted = vec![(0, "e"), (1, "a"), (2, "b"), (2, "c"), (3, "d")];
        if !ascending {
            wanted.reverse();
            wanted.pop();
        }
        assert_eq!(seen, wanted);
    }
}

#[test]
fn a_page_of_what_comes_one_by_one_is_the_page_of_the_whole() {
    let tokens = PageTokens::new([7; 32]);
    let key = |item: &i64| (SortKey::Number(item % 5), format!("{item:02}"));
    let items: Vec<i64> = (0..17).map(|place| place * 7 % 17).collect();
    for ascending in [true, false] {
        let mut token = None;
        loop {
            let paging = paging(&tokens, "s", ascending, token);
            let (whole, next) = paging.page(items.clone(), key).unwrap();
            let mut best = paging.best().unwrap();
            items.iter().for_each(|item| best.offer(key(item), *item));
            let held = best.in_order();
            assert!(held.len() <= 3, "{held:?}");
            let (page, other) = paging.cut(held).unwrap();
            assert_eq!((page, other.is_some()), (whole, next.is_some()));
            token = next;
            if token.is_none() {
                break;
            }
        }
    }
    assert!(paging(&tokens, "s", true, Some("x".to_owned())).best::<i64>().is_err());
}

#[test]
fn a_full_last_page_has_no_token_and_foreign_tokens_do_not_open() {
    let tokens = PageTokens::new([7; 32]);
    let key = |item: &i64| (SortKey::Number(*item), String::new());
    let (page, next) = paging(&tokens, "s", true, None).page(vec![1, 2], key).unwrap();
    assert_eq!((page.len(), next), (2, None));
    let (_, next) = paging(&tokens, "s", true, None).page(vec![1, 2, 3], key).unwrap();
    for (scope, token) in [("other", next.unwrap()), ("s", String::new()), ("s", "nonsense".to_owned())] {
        let error = paging(&tokens, scope, true, Some(token)).page(vec![1, 2, 3], key).unwrap_err();
        assert_eq!(error.code(), "ValidationException");
    }
}

#[test]
fn a_token_ends_after_a_day() {
    let tokens = PageTokens::new([7; 32]);
    let key = |item: &i64| (SortKey::Number(*item), String::new());
    let (_, next) = paging(&tokens, "s", true, None).page(vec![1, 2, 3], key).unwrap();
    for (hours, good) in [(0, true), (24, true), (25, false)] {
        let now = Timestamp::from_millis(NOW + hours * 3_600_000);
        let answer = Paging { now, ..paging(&tokens, "s", true, next.clone()) }.page(vec![1, 2, 3], key);
        match answer {
            Ok((page, _)) => assert!(good && page == [3]),
            Err(error) => assert!(!good && error.message().contains("expired"), "{error}"),
        }
    }
}
