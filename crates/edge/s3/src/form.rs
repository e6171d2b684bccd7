//! Uploads by HTML form: fields, a policy that its maker signed, and the file as a stream.
//!
//! The form becomes the `PutObject` that it stands for and goes the way of all others: decided, recorded, written. What
//! the policy says of the form is checked before, what it says of the file's length while it comes.
//!
//! INVARIANT: no field is used that the signed policy does not have a condition for; the fields in front of the file
//! are held in memory and are few.

mod policy;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use multer::{Constraints, Field, Multipart, SizeLimit};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::StdError;
use stoa_kernel::ApiError;

use crate::api::convert::LARGEST_BODY;
use crate::payload::Pieces;

pub(crate) use policy::Policy;

/// S3's limit for what is in front of the file.
const MOST_FIELD_BYTES: u64 = 20 << 10;
const MOST_FIELDS: usize = 200;
/// Fields with all their framing, whole pieces of the body.
const MOST_BEFORE: usize = 128 << 10;
/// Looks at what is there, a few for each field.
const MOST_TURNS: usize = 10 * MOST_FIELDS;

/// Fields by their names in lower case.
pub(crate) type Fields = BTreeMap<String, String>;

/// A form up to its file.
pub(crate) struct Form {
    pub fields: Fields,
    file: Field<'static>,
}

/// How the answer of a form looks.
pub(crate) struct After {
    status: StatusCode,
    redirect: Option<String>,
    bucket: String,
    key: String,
    base_url: String,
}

/// Whether a request is an upload by form.
pub(crate) fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let signed = parts.headers.contains_key("authorization");
    let kind = kind.trim_start().get(..19).unwrap_or("");
    parts.method == Method::POST && !signed && kind.eq_ignore_ascii_case("multipart/form-data")
}

fn malformed() -> ApiError {
    let text = "The body of your POST request is not well-formed multipart/form-data.";
    ApiError::new("MalformedPOSTRequest", 400, text)
}

fn unreadable(error: multer::Error) -> ApiError {
    match error {
        multer::Error::FieldSizeExceeded { .. } => too_much_before(),
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<ApiError>() {
            Ok(told) => *told,
            Err(_) => malformed(),
        },
        _ => malformed(),
    }
}

fn too_much_before() -> ApiError {
    let text = "Your POST request fields preceding the upload file were too large.";
    ApiError::new("MaxPostPreDataLengthExceededError", 400, text)
}

/// A body as the form's parser may have it: one piece at a time, since it takes whatever is ready, and no more than so
/// much in front of the file, since it keeps that.
struct Paced {
    pieces: Pieces,
    given: bool,
    before: usize,
    turns: usize,
    opened: Arc<AtomicBool>,
}

impl Stream for Paced {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.before > MOST_BEFORE && !self.opened.load(Ordering::Relaxed) {
            // The file may begin in what the parser has: it is asked to look there, so often as it may need to.
            self.turns += 1;
            if self.turns > MOST_TURNS {
                return Poll::Ready(Some(Err(Box::new(too_much_before()))));
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.pieces.poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(piece))) = &next {
            self.before = self.before.saturating_add(piece.len());
            self.given = true;
        }
        next
    }
}

impl Form {
    /// Reads a form up to its file.
    pub async fn open(parts: &Parts, pieces: Pieces) -> Result<Form, ApiError> {
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let boundary = multer::parse_boundary(kind).map_err(|_| malformed())?;
        let limits = SizeLimit::new().per_field(MOST_FIELD_BYTES).for_field("file", u64::MAX);
        let opened = Arc::new(AtomicBool::new(false));
        let pieces = Paced { pieces, given: false, before: 0, turns: 0, opened: Arc::clone(&opened) };
        let mut form = Multipart::with_constraints(pieces, boundary, Constraints::new().size_limit(limits));
        let (mut fields, mut size) = (Fields::new(), 0);
        while let Some(field) = form.next_field().await.map_err(unreadable)? {
            let name = field.name().ok_or_else(malformed)?.to_ascii_lowercase();
            if name == "file" {
                let file_name = field.file_name().unwrap_or("");
                let file_name = file_name.rsplit(['/', '\\']).next().unwrap_or("").to_owned();
                for (name, value) in &mut fields {
                    if !matches!(name.as_str(), "policy" | "x-amz-signature" | "signature") {
                        *value = value.replace("${filename}", &file_name);
                    }
                }
                opened.store(true, Ordering::Relaxed);
                return Ok(Form { fields, file: field });
            }
            let value = field.text().await.map_err(unreadable)?;
            size += (name.len() + value.len()) as u64;
            if size > MOST_FIELD_BYTES || fields.len() >= MOST_FIELDS {
                return Err(too_much_before());
            }
            if fields.insert(name.clone(), value).is_some() {
                return Err(ApiError::new(
                    "InvalidArgument",
                    400,
                    format!("The field {name} was given more than once"),
                ));
            }
        }
        let text = "POST requires exactly one file upload per request.";
        Err(ApiError::new("IncorrectNumberOfFilesInPostRequest", 400, text))
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// How the answer is to look.
    pub fn after(&self, bucket: &str, base_url: &str) -> After {
        let status = match self.field("success_action_status") {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        };
        let redirect = self.field("success_action_redirect").or_else(|| self.field("redirect"));
        let redirect = redirect.filter(|url| url.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some()));
        After {
            status,
            redirect: redirect.map(str::to_owned),
            bucket: bucket.to_owned(),
            key: self.field("key").unwrap_or("").to_owned(),
            base_url: base_url.to_owned(),
        }
    }

    /// The head of the `PutObject` that the form stands for.
    pub fn head(&self, parts: &Parts, bucket: &str) -> Result<Parts, ApiError> {
        let key = self.field("key").filter(|key| !key.is_empty()).ok_or_else(|| {
            let text = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.";
            ApiError::new("InvalidArgument", 400, text)
        })?;
        // Bucket and key become one target, which s3s splits again, always in path style: what is no bucket must not move
        // the border between them.
        if !s3s::path::check_bucket_name(bucket) {
            return Err(ApiError::new("InvalidBucketName", 400, "The specified bucket is not valid."));
        }
        let target = format!("/{bucket}/{}", utf8_percent_encode(key, PATH));
        let mut made = http::Request::new(()).into_parts().0;
        made.method = Method::PUT;
        made.uri = target.parse().map_err(|_| ApiError::new("InvalidURI", 400, "Couldn't parse the specified URI."))?;
        made.headers = self.headers()?;
        made.headers.insert(HOST, HeaderValue::from_static("localhost"));
        if let Some(agent) = parts.headers.get("user-agent") {
            made.headers.insert("user-agent", agent.clone());
        }
        Ok(made)
    }

    /// The fields that are headers of an upload by `PUT`.
    fn headers(&self) -> Result<HeaderMap, ApiError> {
        const PLAIN: [&str; 6] =
            ["cache-control", "content-type", "content-disposition", "content-encoding", "content-language", "expires"];
        // Others, such as `x-amz-copy-source`, would make it another operation.
        const OF_UPLOAD: [&str; 6] = [
            "x-amz-meta-",
            "x-amz-checksum-",
            "x-amz-sdk-checksum-algorithm",
            "x-amz-server-side-encryption",
            "x-amz-storage-class",
            "x-amz-website-redirect-location",
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            let name = match name.as_str() {
                "acl" => "x-amz-acl",
                "tagging" => {
                    headers.insert("x-amz-tagging", tagging(value)?);
                    continue;
                }
                name if PLAIN.contains(&name) || OF_UPLOAD.iter().any(|start| name.starts_with(start)) => name,
                _ => continue,
            };
            let invalid =
                || ApiError::new("InvalidArgument", 400, format!("The value of the field {name} is not valid"));
            let name_of_header = HeaderName::try_from(name).map_err(|_| invalid())?;
            headers.insert(name_of_header, HeaderValue::from_str(value).map_err(|_| invalid())?);
        }
        Ok(headers)
    }

    /// The file, held to the lengths that the policy allows.
    pub fn file(self, range: Option<(u64, u64)>) -> Pieces {
        let (least, most) = range.unwrap_or((0, LARGEST_BODY));
        let start = (Some(self.file), 0_u64);
        let pieces = futures_util::stream::unfold(start, move |(file, before)| async move {
            let mut file = file?;
            let fail = |code: &'static str, text: &'static str| {
                let error: StdError = Box::new(ApiError::new(code, 400, text));
                Some((Err(error), (None, 0)))
            };
            match file.next().await {
                Some(Ok(piece)) => {
                    let size = before + piece.len() as u64;
                    if size > most {
                        return fail("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size");
                    }
                    Some((Ok(piece), (Some(file), size)))
                }
                Some(Err(error)) => {
                    let error: StdError = match error {
                        multer::Error::StreamReadFailed(cause) => cause,
                        error => Box::new(unreadable(error)),
                    };
                    Some((Err(error), (None, 0)))
                }
                None if before < least => {
                    fail("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
                }
                None => None,
            }
        });
        pieces.boxed()
    }
}

/// A stream as s3s takes it, whose errors are also noted in the call.
pub(crate) fn body(pieces: Pieces, call: &Arc<crate::call::Call>) -> s3s::Body {
    let noted = Arc::clone(call);
    let pieces = pieces.inspect_err(move |error| {
        if let Some(error) = error.downcast_ref::<ApiError>() {
            *noted.body.error.lock() = Some(ApiError::new(error.code().to_owned(), error.status(), error.message()));
        }
    });
    s3s::Body::http_body_unsync(StreamBody::new(pieces.map_ok(Frame::<Bytes>::data)))
}

/// All but slashes and what is plain.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// All but what is plain.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The tags of the form, which are a document there, as the header has them.
fn tagging(document: &str) -> Result<HeaderValue, ApiError> {
    use s3s::xml::{Deserialize, Deserializer};
    let invalid = || {
        let text = "The XML you provided was not well-formed or did not validate against our published schema";
        ApiError::new("MalformedXML", 400, text)
    };
    let mut reader = Deserializer::new(document.as_bytes());
    let tagging = s3s::dto::Tagging::deserialize(&mut reader).map_err(|_| invalid())?;
    let part = |text: Option<String>| utf8_percent_encode(&text.unwrap_or_default(), NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> =
        tagging.tag_set.into_iter().map(|tag| format!("{}={}", part(tag.key), part(tag.value))).collect();
    HeaderValue::try_from(pairs.join("&")).map_err(|_| invalid())
}

impl After {
    /// Turns the answer to the `PutObject` into the form's.
    pub fn apply(self, answer: Response<s3s::Body>) -> Response<s3s::Body> {
        if !answer.status().is_success() {
            return answer;
        }
        let (mut parts, _) = answer.into_parts();
        let etag = parts.headers.get(ETAG).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let location = format!("{}/{}/{}", self.base_url, self.bucket, utf8_percent_encode(&self.key, PATH));
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(CONTENT_TYPE);
        let (place, body) = match self.redirect {
            Some(url) => {
                parts.status = StatusCode::SEE_OTHER;
                let sign = if url.contains('?') { '&' } else { '?' };
                let (bucket, key, etag) = (encoded(&self.bucket), encoded(&self.key), encoded(&etag));
                (format!("{url}{sign}bucket={bucket}&key={key}&etag={etag}"), String::new())
            }
            None => {
                parts.status = self.status;
                let made = self.status == StatusCode::CREATED;
                let text = |text: &str| crate::answer::escaped(text);
                let document = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket>\
                     <Key>{}</Key><ETag>{}</ETag></PostResponse>",
                    text(&location),
                    text(&self.bucket),
                    text(&self.key),
                    text(&etag)
                );
                (location, if made { document } else { String::new() })
            }
        };
        if let Ok(place) = HeaderValue::try_from(place) {
            parts.headers.insert(LOCATION, place);
        }
        if body.is_empty() {
            if parts.status != StatusCode::NO_CONTENT {
                parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
            }
            return Response::from_parts(parts, s3s::Body::empty());
        }
        parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        Response::from_parts(parts, s3s::Body::from(body))
    }
}

/// How a form is signed.
pub(crate) struct Claim<'f> {
    pub access_key_id: &'f str,
    pub session_token: Option<&'f str>,
    pub policy: &'f str,
    pub kind: ClaimKind<'f>,
}

/// The two kinds of signatures over a policy.
pub(crate) enum ClaimKind<'f> {
    /// HMAC-SHA-256 with a key of a day, a region and a service, in hexadecimal.
    Version4 { scope: [&'f str; 3], date: &'f str, signature: &'f str },
    /// HMAC-SHA-1, in base64.
    Version2 { signature: Vec<u8> },
}

/// Finds how a form is signed; none where it is not.
pub(crate) fn claim(fields: &Fields) -> Result<Option<Claim<'_>>, ApiError> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let Some(policy) = field("policy") else { return Ok(None) };
    let session_token = field("x-amz-security-token");
    let missing =
        |name: &str| ApiError::new("InvalidArgument", 400, format!("Bucket POST must contain a field named '{name}'."));
    if let Some(access_key_id) = field("awsaccesskeyid") {
        let signature = STANDARD.decode(field("signature").ok_or_else(|| missing("Signature"))?);
        let kind = ClaimKind::Version2 { signature: signature.unwrap_or_default() };
        return Ok(Some(Claim { access_key_id, session_token, policy, kind }));
    }
    if field("x-amz-algorithm").ok_or_else(|| missing("X-Amz-Algorithm"))? != "AWS4-HMAC-SHA256" {
        return Err(ApiError::new("InvalidArgument", 400, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let credential = field("x-amz-credential").ok_or_else(|| missing("X-Amz-Credential"))?;
    let mut rest = credential.rsplitn(5, '/');
    let (end, service, region, day, access_key_id) = (rest.next(), rest.next(), rest.next(), rest.next(), rest.next());
    let (Some("aws4_request"), Some(service), Some(region), Some(day), Some(access_key_id)) =
        (end, service, region, day, access_key_id)
    else {
        let text = "The Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
        return Err(ApiError::new("InvalidArgument", 400, text));
    };
    let date = field("x-amz-date").ok_or_else(|| missing("X-Amz-Date"))?;
    let signature = field("x-amz-signature").ok_or_else(|| missing("X-Amz-Signature"))?;
    let kind = ClaimKind::Version4 { scope: [day, region, service], date, signature };
    Ok(Some(Claim { access_key_id, session_token, policy, kind }))
}
