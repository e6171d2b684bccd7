//! The published example of a signed chunked upload, its trailer twin, and bodies that break the form.

use super::*;

const DATE: &str = "20130524T000000Z\n20130524/us-east-1/s3/aws4_request";

/// The key and seed of AWS's worked example ("Example: PUT Object" of the streaming signature's page).
fn example_key() -> ChunkKey {
    let mut key = [0_u8; 32];
    let secret = "AWS4wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let mut last = hmac(secret.as_bytes(), b"20130524");
    for part in ["us-east-1", "s3", "aws4_request"] {
        last = hmac(&last, part.as_bytes());
    }
    key.copy_from_slice(&last);
    let previous = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned();
    ChunkKey { key, scope: DATE.to_owned(), previous }
}

fn example_body() -> Vec<u8> {
    let mut body = Vec::new();
    let chunks = [
        (65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ];
    for (size, signature) in chunks {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        body.extend_from_slice(b"\r\n");
    }
    body
}

fn run(mut decoder: Decoder, body: &[u8], piece: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    for piece in body.chunks(piece) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(data) = decoder.next(&mut input).map_err(|error| error.code().to_owned())? {
            out.extend_from_slice(&data);
        }
        assert!(input.is_empty());
    }
    decoder.finish().map_err(|error| error.code().to_owned())?;
    Ok(out)
}

#[test]
fn the_published_example() {
    for piece in [1, 7, 1000, 100_000] {
        let decoder = Decoder::new(66_560, Some(example_key()), false, Arc::default());
        assert_eq!(run(decoder, &example_body(), piece).unwrap(), vec![b'a'; 66_560]);
    }
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let body = example_body();
    for index in [0, 30, 100, 5000, 65_700, body.len() - 10] {
        let mut changed = body.clone();
        changed[index] ^= 1;
        let decoder = Decoder::new(66_560, Some(example_key()), false, Arc::default());
        assert!(run(decoder, &changed, 1000).is_err(), "byte {index}");
    }
}

fn unsigned(length: u64, body: &str) -> Result<(Vec<u8>, Option<HeaderMap>), String> {
    let trailers = Arc::new(Mutex::new(None));
    let decoder = Decoder::new(length, None, true, Arc::clone(&trailers));
    let out = run(decoder, body.as_bytes(), 3)?;
    let trailers = trailers.lock().take();
    Ok((out, trailers))
}

#[test]
fn trailers() {
    let body = "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32: DUoRhQ==\r\n\r\n";
    let (out, trailers) = unsigned(11, body).unwrap();
    assert_eq!(out, b"hello world");
    assert_eq!(trailers.unwrap().get("x-amz-checksum-crc32").unwrap(), "DUoRhQ==");
    let (out, trailers) = unsigned(0, "0\r\n\r\n").unwrap();
    assert!(out.is_empty() && trailers.unwrap().is_empty());
}

#[test]
fn signed_trailers() {
    let mut key = example_key();
    let mut body = Vec::new();
    for data in ["hello", ""] {
        let empty = hex::encode(Sha256::digest(b""));
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{DATE}\n{}\n{empty}\n{}",
            key.previous,
            hex::encode(Sha256::digest(data))
        );
        let signature = hex::encode(hmac(&key.key, text.as_bytes()));
        body.extend_from_slice(format!("{:x};chunk-signature={signature}\r\n{data}", data.len()).as_bytes());
        if !data.is_empty() {
            body.extend_from_slice(b"\r\n");
        }
        key.previous = signature;
    }
    let hash = hex::encode(Sha256::digest(b"x-amz-checksum-crc32:NhCmhg==\n"));
    let text = format!("AWS4-HMAC-SHA256-TRAILER\n{DATE}\n{}\n{hash}", key.previous);
    let signature = hex::encode(hmac(&key.key, text.as_bytes()));
    body.extend_from_slice(b"x-amz-checksum-crc32:NhCmhg==\r\n");
    let whole = [body.as_slice(), format!("x-amz-trailer-signature:{signature}\r\n\r\n").as_bytes()].concat();
    let decoder = || Decoder::new(5, Some(example_key()), true, Arc::default());
    assert_eq!(run(decoder(), &whole, 10).unwrap(), b"hello");
    let bare = [body.as_slice(), b"\r\n"].concat();
    assert_eq!(run(decoder(), &bare, 10).unwrap_err(), "MalformedTrailerError");
    let wrong = String::from_utf8(whole).unwrap().replace("NhCmhg", "NhCmhh");
    assert_eq!(run(decoder(), wrong.as_bytes(), 10).unwrap_err(), "SignatureDoesNotMatch");
}

#[test]
fn broken_forms() {
    let long = format!("5;{}\r\n", "x".repeat(20_000));
    let cases = [
        (5, "5\r\nhel", "IncompleteBody"),
        (5, "5\r\nhello\r\n", "IncompleteBody"),
        (6, "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (4, "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (5, "5\r\nhelloX\r\n0\r\n\r\n", "InvalidRequest"),
        (5, "g\r\nhello", "InvalidRequest"),
        (5, "-5\r\nhello", "InvalidRequest"),
        (5, "\r\n", "InvalidRequest"),
        (5, "ffffffffffffffffff\r\n", "InvalidRequest"),
        (5, "5\r\nhello\r\n0\r\nnonsense\r\n\r\n", "MalformedTrailerError"),
        (5, "5\r\nhello\r\n0\r\n\r\nmore", "InvalidRequest"),
        (5, long.as_str(), "InvalidRequest"),
        (5, "", "IncompleteBody"),
    ];
    for (length, body, code) in cases {
        assert_eq!(unsigned(length, body).unwrap_err(), code, "{body:.60}");
    }
}
