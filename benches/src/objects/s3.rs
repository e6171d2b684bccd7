//! S3 as the bench speaks it: requests are bytes made beforehand, so that only the server's time counts.

use std::io::{Read, Write};
use std::net::TcpStream;

use http::{HeaderMap, HeaderValue};
use stoa_sigv4::{Signer, UNSIGNED_PAYLOAD, presign, sign_headers};

use crate::BUCKET;
use crate::aws::{Caller, REGION, now};
use crate::bytes::Source;
use crate::wire::{Client, Outcome, measure};

fn signer(caller: &Caller) -> Signer<'_> {
    Signer {
        access_key_id: &caller.access_key_id,
        secret: &caller.secret,
        session_token: caller.session_token.as_ref(),
        region: REGION,
        service: "s3",
        now: now(),
    }
}

/// The head of a signed request with an unsigned body.
fn head(
    caller: &Caller,
    method: &str,
    (path, query): (&str, &str),
    headers: &[(&'static str, String)],
) -> Outcome<Vec<u8>> {
    let mut all = HeaderMap::new();
    all.insert("host", HeaderValue::from_str(&caller.address)?);
    for (name, value) in headers {
        all.insert(*name, HeaderValue::from_str(value)?);
    }
    sign_headers(&signer(caller), method, path, query, &mut all, UNSIGNED_PAYLOAD)?;
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &all {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes)
}

pub fn make_bucket(caller: &Caller, name: &str) -> Outcome<()> {
    let body = format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{REGION}\
         </LocationConstraint></CreateBucketConfiguration>"
    );
    let length = ("content-length", body.len().to_string());
    let mut request = head(caller, "PUT", (&format!("/{name}"), ""), &[length])?;
    request.extend_from_slice(body.as_bytes());
    let answer = Client::connect(&caller.address)?.call(&request)?;
    match answer.status {
        200 => Ok(()),
        status => Err(format!("CreateBucket: {status} {}", String::from_utf8_lossy(&answer.body)).into()),
    }
}

/// A policy that lets a user read the bucket.
pub fn may_read() -> serde_json::Value {
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{BUCKET}/*")}]})
}

/// A GET by presigned URL.
pub fn presigned(caller: &Caller, key: &str, query: &str) -> Vec<u8> {
    let path = format!("/{BUCKET}/{key}");
    let query = presign(&signer(caller), "GET", &caller.address, &path, query, 3600);
    format!("GET {path}?{query} HTTP/1.1\r\nhost: {}\r\n\r\n", caller.address).into_bytes()
}

/// A signed request without a body.
pub fn get(caller: &Caller, path: &str, query: &str) -> Outcome<Vec<u8>> {
    head(caller, "GET", (path, query), &[])
}

/// A PUT of few bytes, whole.
pub fn small_put(caller: &Caller, key: &str, body: &[u8]) -> Outcome<Vec<u8>> {
    let length = ("content-length", body.len().to_string());
    let mut request = head(caller, "PUT", (&format!("/{BUCKET}/{key}"), ""), &[length])?;
    request.extend_from_slice(body);
    Ok(request)
}

/// A PUT whose checksum is computed before the clock starts.
pub struct PutRequest {
    address: String,
    head: Vec<u8>,
    source: Source,
}

impl PutRequest {
    pub fn new(caller: &Caller, key: &str, source: Source) -> Outcome<PutRequest> {
        let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32IsoHdlc);
        source.each(|piece| {
            crc.update(piece);
            Ok(())
        })?;
        let value = base64_of((crc.finalize() as u32).to_be_bytes());
        let headers = [("content-length", source.size.to_string()), ("x-amz-checksum-crc32", value)];
        let head = head(caller, "PUT", (&format!("/{BUCKET}/{key}"), ""), &headers)?;
        Ok(PutRequest { address: caller.address.clone(), head, source })
    }

    pub fn send(&self) -> Outcome<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.write_all(&self.head)?;
        self.source.each(|piece| Ok(stream.write_all(piece)?))?;
        let answer = Client::over(stream).call(b"")?;
        match answer.status {
            200 => Ok(()),
            status => Err(format!("PutObject: {status} {}", String::from_utf8_lossy(&answer.body)).into()),
        }
    }
}

fn base64_of(bytes: [u8; 4]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u64::from(u32::from_be_bytes(bytes)) << 4;
    let letter = |at: u32| char::from(LETTERS[((bits >> (30 - 6 * at)) & 63) as usize]);
    (0..6).map(letter).chain(['=', '=']).collect()
}

pub fn put(caller: &Caller, key: &str, source: Source) -> Outcome<()> {
    PutRequest::new(caller, key, source)?.send()
}

/// Reads an answer to its end without keeping it; it must be a 200 of so many bytes.
pub fn read_through(address: &str, request: &[u8], size: u64) -> Outcome<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let mut buffer = vec![0; 1 << 20];
    let mut filled = 0;
    let total = loop {
        let count = stream.read(&mut buffer[filled..])?;
        filled += count;
        match measure(&buffer[..filled])? {
            Some((200, total)) => break total as u64,
            Some((status, _)) => return Err(format!("GET answered {status}").into()),
            None if count == 0 => return Err("the server closed the connection".into()),
            None => {}
        }
    };
    let mut seen = filled as u64;
    while seen < total {
        match stream.read(&mut buffer)? {
            0 => return Err("the server closed the connection".into()),
            count => seen += count as u64,
        }
    }
    if total < size {
        return Err(format!("{total} bytes came, of {size}").into());
    }
    Ok(())
}
