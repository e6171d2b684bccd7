//! Reads who claims to have signed a request, from the `Authorization` header or from a presigned query.
//!
//! INVARIANT: borrows from the request; total over any bytes; proves nothing, see [`crate::verify`].

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;
use stoa_types::Timestamp;

use crate::canonical::decode;
use crate::error::SigError;
use crate::keys::KeyScope;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";

/// Where the signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned URL.
    Query,
}

/// A claimed signature: enough to look the secret up and then to check it.
#[derive(Clone)]
pub struct SignatureRequest<'a> {
    /// Header or query.
    pub form: Form,
    /// The access key id, first part of the credential.
    pub access_key_id: Cow<'a, str>,
    /// The date of the credential scope, `YYYYMMDD`.
    pub date: Cow<'a, str>,
    /// The region of the credential scope.
    pub region: Cow<'a, str>,
    /// The service of the credential scope.
    pub service: Cow<'a, str>,
    /// The session token that came along.
    pub session_token: Option<Cow<'a, str>>,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// Names of signed headers, as sent, joined by `;`.
    pub signed_headers: Cow<'a, str>,
    /// How long a presigned request is good for, in seconds.
    pub expires_seconds: Option<u32>,
    pub(crate) amz_date: Cow<'a, str>,
    pub(crate) signature: [u8; 32],
}

impl SignatureRequest<'_> {
    /// Whether S3's rules apply.
    pub fn is_s3(&self) -> bool {
        is_s3(&self.service)
    }

    /// The signature as lower-case hexadecimal: the seed of S3's chunk signatures.
    pub fn signature_hex(&self) -> String {
        hex::encode(self.signature)
    }

    pub(crate) fn scope(&self) -> KeyScope<'_> {
        KeyScope { access_key_id: &self.access_key_id, date: &self.date, region: &self.region, service: &self.service }
    }
}

impl fmt::Debug for SignatureRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignatureRequest")
            .field("form", &self.form)
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date)
            .field("region", &self.region)
            .field("service", &self.service)
            .field("session_token", &self.session_token.as_ref().map(|_| "…"))
            .field("signed_at", &self.signed_at)
            .field("signed_headers", &self.signed_headers)
            .field("expires_seconds", &self.expires_seconds)
            .finish_non_exhaustive()
    }
}

pub(crate) fn is_s3(service: &str) -> bool {
    matches!(service, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
}

/// Finds the claimed signature. `None` when the request names no credential at all.
pub fn parse_credential<'a>(headers: &'a HeaderMap, query: &'a str) -> Result<Option<SignatureRequest<'a>>, SigError> {
    let presigned = QueryAuth::find(query)?;
    let mut authorizations = headers.get_all("authorization").iter();
    match (authorizations.next(), presigned) {
        (Some(_), _) if authorizations.next().is_some() => incomplete("Only one Authorization header is allowed."),
        (Some(_), Some(_)) => incomplete(
            "Only one auth mechanism allowed; the request has an Authorization header \
                                          and a signature in its query.",
        ),
        (Some(value), None) => {
            let text = value
                .to_str()
                .map_err(|_| SigError::IncompleteSignature("Authorization header must be visible ASCII.".to_owned()))?;
            from_header(text, headers).map(Some)
        }
        (None, Some(auth)) => auth.into_request(headers).map(Some),
        (None, None) => Ok(None),
    }
}

fn incomplete<T>(text: &str) -> Result<T, SigError> {
    Err(SigError::IncompleteSignature(text.to_owned()))
}

fn from_header<'a>(text: &'a str, headers: &'a HeaderMap) -> Result<SignatureRequest<'a>, SigError> {
    let text = text.trim();
    let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
    if algorithm != ALGORITHM {
        return Err(match algorithm {
            "AWS" | "AWS3-HTTPS" | "AWS4-ECDSA-P256-SHA256" => SigError::UnsupportedAlgorithm,
            other => SigError::IncompleteSignature(format!(
                "Unsupported AWS 'algorithm': '{}'.",
                other.get(..64).unwrap_or(other)
            )),
        });
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',') {
        let Some((name, value)) = part.trim().split_once('=') else { continue };
        let slot = match name.trim() {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if slot.replace(value.trim()).is_some() {
            return Err(SigError::IncompleteSignature(format!("Authorization header has '{name}' twice.")));
        }
    }
    let date = header_date(headers);
    let dated = date.is_some();
    let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
        (credential, signed_headers, signature, date)
    else {
        let missing = [
            (credential.is_none(), "'Credential' parameter"),
            (signature.is_none(), "'Signature' parameter"),
            (signed_headers.is_none(), "'SignedHeaders' parameter"),
            (!dated, "existence of either a 'X-Amz-Date' or a 'Date' header"),
        ];
        let names = missing.iter().filter(|(absent, _)| *absent);
        let lines: Vec<String> = names.map(|(_, what)| format!("Authorization header requires {what}.")).collect();
        return Err(SigError::IncompleteSignature(lines.join(" ")));
    };
    let token = headers.get("x-amz-security-token").map(|value| String::from_utf8_lossy(value.as_bytes()));
    build(Form::Header, Cow::Borrowed(credential), Cow::Borrowed(signed_headers), signature, date, token, None)
}

fn header_date(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    if let Some(value) = headers.get("x-amz-date") {
        return value.to_str().ok().map(Cow::Borrowed);
    }
    let text = headers.get("date")?.to_str().ok()?;
    match parse_amz_date(text) {
        Some(_) => Some(Cow::Borrowed(text)),
        None => Some(Cow::Owned(Timestamp::parse_http_date(text).ok()?.amz_date())),
    }
}

fn build<'a>(
    form: Form,
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: &str,
    amz_date: Cow<'a, str>,
    session_token: Option<Cow<'a, str>>,
    expires_seconds: Option<u32>,
) -> Result<SignatureRequest<'a>, SigError> {
    let (access_key_id, date, region, service) = split_credential(credential)?;
    let Some(signed_at) = parse_amz_date(&amz_date) else {
        let shown = amz_date.chars().take(64).collect::<String>();
        return Err(SigError::IncompleteSignature(format!(
            "Date must be in ISO-8601 'basic format'. Got '{shown}'. See http://en.wikipedia.org/wiki/ISO_8601"
        )));
    };
    if amz_date.get(..8) != Some(&*date) {
        return Err(SigError::Scope(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{date}' != \
             '{}', from '{amz_date}'.",
            amz_date.get(..8).unwrap_or("")
        )));
    }
    let mut bytes = [0_u8; 32];
    if hex::decode_to_slice(signature, &mut bytes).is_err() {
        return incomplete("'Signature' must be 64 hexadecimal digits.");
    }
    Ok(SignatureRequest {
        form,
        access_key_id,
        date,
        region,
        service,
        session_token,
        signed_at,
        signed_headers,
        expires_seconds,
        amz_date,
        signature: bytes,
    })
}

type CredentialParts<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>, Cow<'a, str>);

fn split_credential(credential: Cow<'_, str>) -> Result<CredentialParts<'_>, SigError> {
    fn five(text: &str) -> Option<[&str; 5]> {
        let mut parts = text.split('/');
        let found = [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let whole = parts.next().is_none() && found.iter().all(|part| !part.is_empty());
        whole.then_some(found)
    }
    let parts = match &credential {
        Cow::Borrowed(text) => five(text).map(|parts| parts.map(Cow::Borrowed)),
        Cow::Owned(text) => five(text).map(|parts| parts.map(|part| Cow::Owned(part.to_owned()))),
    };
    let Some([access_key_id, date, region, service, terminator]) = parts else {
        let shown = credential.chars().take(128).collect::<String>();
        return Err(SigError::IncompleteSignature(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{shown}'"
        )));
    };
    if terminator != TERMINATOR {
        let text = format!("Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{terminator}'.");
        return Err(SigError::Scope(text));
    }
    Ok((access_key_id, date, region, service))
}

/// The authentication parameters of a presigned query, still encoded.
#[derive(Default)]
struct QueryAuth<'a> {
    algorithm: Option<&'a str>,
    credential: Option<&'a str>,
    date: Option<&'a str>,
    expires: Option<&'a str>,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
    token: Option<&'a str>,
}

impl<'a> QueryAuth<'a> {
    fn find(query: &'a str) -> Result<Option<QueryAuth<'a>>, SigError> {
        if query.is_empty() {
            return Ok(None);
        }
        let mut auth = QueryAuth::default();
        let (mut version_2_key, mut version_2_signature) = (false, false);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "X-Amz-Algorithm" => &mut auth.algorithm,
                "X-Amz-Credential" => &mut auth.credential,
                "X-Amz-Date" => &mut auth.date,
                "X-Amz-Expires" => &mut auth.expires,
                "X-Amz-SignedHeaders" => &mut auth.signed_headers,
                "X-Amz-Signature" => &mut auth.signature,
                "X-Amz-Security-Token" => &mut auth.token,
                "AWSAccessKeyId" => {
                    version_2_key = true;
                    continue;
                }
                "Signature" => {
                    version_2_signature = true;
                    continue;
                }
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(SigError::IncompleteSignature(format!("AWS query-string has '{name}' twice.")));
            }
        }
        if auth.algorithm.is_some() || auth.signature.is_some() || auth.credential.is_some() {
            return Ok(Some(auth));
        }
        if version_2_key && version_2_signature {
            return Err(SigError::UnsupportedAlgorithm);
        }
        Ok(None)
    }

    fn into_request(self, headers: &'a HeaderMap) -> Result<SignatureRequest<'a>, SigError> {
        match self.algorithm {
            Some(ALGORITHM) | None => {}
            Some(_) => return Err(SigError::UnsupportedAlgorithm),
        }
        let (Some(_), Some(credential), Some(date), Some(signed_headers), Some(signature)) =
            (self.algorithm, self.credential, self.date, self.signed_headers, self.signature)
        else {
            let all = [
                (self.algorithm, "X-Amz-Algorithm"),
                (self.credential, "X-Amz-Credential"),
                (self.signature, "X-Amz-Signature"),
                (self.signed_headers, "X-Amz-SignedHeaders"),
                (self.date, "X-Amz-Date"),
            ];
            let names = all.iter().filter(|(value, _)| value.is_none());
            let lines: Vec<String> =
                names.map(|(_, name)| format!("AWS query-string parameters must include '{name}'.")).collect();
            return Err(SigError::IncompleteSignature(lines.join(" ")));
        };
        let expires = self.expires.map(parse_expires).transpose()?;
        let token = match self.token {
            Some(token) => Some(decoded(token)),
            None => headers.get("x-amz-security-token").map(|value| String::from_utf8_lossy(value.as_bytes())),
        };
        let request =
            build(Form::Query, decoded(credential), decoded(signed_headers), signature, decoded(date), token, expires)?;
        if request.is_s3() && expires.is_none() {
            return incomplete(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                               X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            );
        }
        Ok(request)
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains(['%', '+']) {
        return Cow::Owned(String::from_utf8_lossy(&decode(text, true)).into_owned());
    }
    Cow::Borrowed(text)
}

fn parse_expires(text: &str) -> Result<u32, SigError> {
    const WEEK: i64 = 604_800;
    match text.parse::<i64>() {
        Ok(seconds) if seconds > WEEK => incomplete(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be \
                        less than 604800 seconds",
        ),
        Ok(seconds) if seconds < 1 => incomplete("X-Amz-Expires must be at least 1 second"),
        Ok(seconds) => Ok(u32::try_from(seconds).unwrap_or(u32::MAX)),
        Err(_) => incomplete("X-Amz-Expires should be a number"),
    }
}

/// `20150830T123600Z` without a detour: this is on the path of every request.
pub(crate) fn parse_amz_date(text: &str) -> Option<Timestamp> {
    let [y1, y2, y3, y4, m1, m2, d1, d2, b'T', h1, h2, n1, n2, s1, s2, b'Z'] = text.as_bytes() else { return None };
    let number = |digits: &[&u8]| {
        digits.iter().try_fold(0_i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(**byte - b'0')))
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since the epoch, with years that begin in March so that the leap day comes last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400) + day_of_year
        - 719_468;
    Some(Timestamp::from_millis((days * 86_400 + hour * 3600 + minute * 60 + second) * 1000))
}
