//! A page of a bucket: keys in byte order, those with a delimiter after the prefix rolled up.
//!
//! A rolled-up prefix is passed by one seek behind it, however many keys are under it. How many keys are asked for at once
//! follows how many of the last ones were of use: few keys under each prefix are walked, many are passed.

use stoa_kernel::ApiError;
use stoa_kernel::ports::{ListObjects, Listing, ObjectSource, rolled_up};

use crate::source::LAST;

/// With a delimiter most of a chunk may be rolled up, so chunks are small at first.
const FIRST_CHUNK: usize = 50;

/// Lists a bucket of a source.
pub(crate) async fn list(source: &dyn ObjectSource, list: &ListObjects) -> Result<Listing, ApiError> {
    let mut listing = Listing::default();
    if list.limit == 0 {
        return Ok(listing);
    }
    let mut cursor = list.after.clone();
    if let Some(after) = &list.after
        && of_list(after, list) == Some(after.as_str())
    {
        // The last page ended with this prefix.
        cursor = Some(format!("{after}{LAST}"));
    }
    let mut rolled_chunk = FIRST_CHUNK;
    loop {
        let before = listing.objects.len() + listing.prefixes.len();
        let missing = list.limit + 1 - listing.objects.len() - listing.prefixes.len();
        let wanted = if list.delimiter.is_empty() { missing } else { missing.min(rolled_chunk) };
        let chunk = source.objects(&list.bucket, &list.prefix, cursor.as_deref(), wanted).await?;
        let (count, mut inside) = (chunk.len(), None);
        for entry in chunk {
            inside = of_list(&entry.key, list).map(str::to_owned);
            let known = inside.is_some() && inside.as_ref() == listing.prefixes.last();
            cursor = Some(entry.key.clone());
            if known {
                continue;
            }
            if listing.objects.len() + listing.prefixes.len() == list.limit {
                listing.next = last_of(&listing);
                return Ok(listing);
            }
            match &inside {
                Some(prefix) => listing.prefixes.push(prefix.clone()),
                None => listing.objects.push(entry),
            }
        }
        if count < wanted {
            return Ok(listing);
        }
        let of_use = listing.objects.len() + listing.prefixes.len() - before;
        rolled_chunk = (2 * of_use).max(2);
        if let Some(prefix) = inside {
            cursor = Some(format!("{prefix}{LAST}"));
        }
    }
}

fn of_list<'k>(key: &'k str, list: &ListObjects) -> Option<&'k str> {
    rolled_up(key, &list.prefix, &list.delimiter)
}

/// The greatest of what is listed.
fn last_of(listing: &Listing) -> Option<String> {
    let key = listing.objects.last().map(|entry| entry.key.as_str());
    key.max(listing.prefixes.last().map(String::as_str)).map(str::to_owned)
}
