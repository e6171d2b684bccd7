//! A file's headers and bytes: ETag (its SHA-256; of a sealed file, what cannot be taken for one), commit, length, and a
//! part of it where a range is asked for.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use stoa_kernel::ports::{ReadObject, RepositoryFile, StoredBytes};
use stoa_kernel::{ApiError, Cx};

use crate::answer::{Body, REPO_COMMIT, header_text, streamed, whole};

const LINKED_SIZE: HeaderName = HeaderName::from_static("x-linked-size");
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// The part of a file that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// First byte and number of bytes.
    Range(u64, u64),
    Unsatisfiable,
}

/// The answer to `GET` or `HEAD` of a file.
pub(crate) async fn response(
    (reader, cx): (&dyn ReadObject, &Cx),
    method: &Method,
    headers: &HeaderMap,
    file: &RepositoryFile,
    commit: &str,
) -> Result<Response<Body>, ApiError> {
    let etag = etag(file);
    let unchanged = headers.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == etag.as_bytes());
    let part = part(headers, file.size);
    let (status, start, length) = match part {
        _ if unchanged => (StatusCode::NOT_MODIFIED, 0, 0),
        Part::Whole => (StatusCode::OK, 0, file.size),
        Part::Range(start, length) => (StatusCode::PARTIAL_CONTENT, start, length),
        Part::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let body = match method == Method::HEAD || length == 0 {
        true => whole(Bytes::new()),
        false => bytes(reader, cx, file, (start, length)).await?,
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let told = response.headers_mut();
    told.insert(header::ETAG, header_text(&etag));
    told.insert(LINKED_ETAG, header_text(&etag));
    told.insert(LINKED_SIZE, HeaderValue::from(file.size));
    told.insert(REPO_COMMIT, header_text(commit));
    told.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&file.path)));
    if status != StatusCode::NOT_MODIFIED {
        told.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    match part {
        Part::Range(start, length) if !unchanged => {
            let range = format!("bytes {start}-{}/{}", start + length - 1, file.size);
            told.insert(header::CONTENT_RANGE, header_text(&range));
        }
        Part::Unsatisfiable => {
            told.insert(header::CONTENT_RANGE, header_text(&format!("bytes */{}", file.size)));
        }
        _ => {}
    }
    Ok(response)
}

/// Clients take an ETag of 64 hex digits for the SHA-256 of the bytes. Of sealed ones only the blob's is known.
fn etag(file: &RepositoryFile) -> String {
    match file.sealed {
        None => format!("\"{}\"", file.sha256),
        Some(_) => format!("\"sealed-{}\"", file.sha256),
    }
}

async fn bytes(
    reader: &dyn ReadObject,
    cx: &Cx,
    file: &RepositoryFile,
    (start, length): (u64, u64),
) -> Result<Body, ApiError> {
    let RepositoryFile { sha256, size, inline, sealed, .. } = file;
    let stored = StoredBytes { digest: sha256, size: *size, inline: inline.as_ref(), sealed: sealed.as_deref() };
    Ok(streamed(reader.read(cx, &stored, start, length).await?))
}

/// One range of bytes; a form that is not understood is ignored, as RFC 9110 has it.
fn part(headers: &HeaderMap, size: u64) -> Part {
    let given = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((first, last)) =
        given.and_then(|text| text.strip_prefix("bytes=")).and_then(|range| range.split_once('-'))
    else {
        return Part::Whole;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if last < first => Part::Whole,
        (Ok(first), _) if first >= size => Part::Unsatisfiable,
        (Ok(first), Ok(last)) => Part::Range(first, last.min(size - 1) - first + 1),
        (Ok(first), Err(_)) if last.trim().is_empty() => Part::Range(first, size - first),
        (Err(_), Ok(0)) if first.trim().is_empty() => Part::Unsatisfiable,
        (Err(_), Ok(last)) if first.trim().is_empty() && size > 0 => Part::Range(size - last.min(size), last.min(size)),
        (Err(_), Ok(_)) if first.trim().is_empty() => Part::Unsatisfiable,
        _ => Part::Whole,
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => "application/json",
        Some("md") => "text/markdown; charset=utf-8",
        Some("txt" | "jinja" | "py") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    //! Ranges.

    use super::*;

    fn asked(range: &str, size: u64) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
        part(&headers, size)
    }

    #[test]
    fn ranges_as_clients_send_them() {
        for (range, size, wanted) in [
            ("bytes=0-9", 100, Part::Range(0, 10)),
            ("bytes=90-", 100, Part::Range(90, 10)),
            ("bytes=-5", 100, Part::Range(95, 5)),
            ("bytes=-500", 100, Part::Range(0, 100)),
            ("bytes=0-100000", 100, Part::Range(0, 100)),
            ("bytes=100-", 100, Part::Unsatisfiable),
            ("bytes=-0", 100, Part::Unsatisfiable),
            ("bytes=-5", 0, Part::Unsatisfiable),
            ("bytes=0-", 0, Part::Unsatisfiable),
            ("bytes=9-3", 100, Part::Whole),
            ("bytes=0-1,4-5", 100, Part::Whole),
            ("bytes=x-", 100, Part::Whole),
            ("lines=0-9", 100, Part::Whole),
            ("bytes=18446744073709551615-", 100, Part::Unsatisfiable),
        ] {
            assert_eq!(asked(range, size), wanted, "{range} of {size}");
        }
        assert_eq!(part(&HeaderMap::new(), 5), Part::Whole);
    }
}
