//! Page tokens are opaque and hold for their own request only.

use stoa_store::PageTokens;

const SCOPE: &str = "000000000001/ListHubs/{\"NameContains\":\"a\"}";

#[test]
fn a_token_opens_in_its_own_scope() {
    let tokens = PageTokens::new([7; 32]);
    for position in ["", "[\"name\",\"000000000001\",\"us-west-2\",\"id\"]", "é\u{10ffff}"] {
        let token = tokens.seal(SCOPE, position);
        assert_eq!(tokens.open(SCOPE, &token).unwrap(), position);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{token}");
    }
}

#[test]
fn another_scope_or_key_is_refused() {
    let tokens = PageTokens::new([7; 32]);
    let token = tokens.seal(SCOPE, "position");
    for scope in ["", "000000000002/ListHubs/{\"NameContains\":\"a\"}", &SCOPE[..SCOPE.len() - 1], "000000000001"] {
        assert!(tokens.open(scope, &token).is_err(), "{scope}");
    }
    assert!(PageTokens::new([8; 32]).open(SCOPE, &token).is_err());
    // Moving a byte between scope and position makes another token: the scope's length is part of what is signed.
    assert!(tokens.open("ab", &tokens.seal("a", "bc")).is_err());
}

#[test]
fn every_altered_character_is_noticed() {
    let tokens = PageTokens::new([7; 32]);
    let token = tokens.seal(SCOPE, "a position of some length");
    for index in 0..token.len() {
        for other in ["A", "b", "_", "=", "é"] {
            let altered = format!("{}{other}{}", &token[..index], &token[index + 1..]);
            if altered != token {
                assert!(tokens.open(SCOPE, &altered).is_err(), "{altered}");
            }
        }
        assert!(tokens.open(SCOPE, &token[..index]).is_err(), "cut at {index}");
    }
    for foreign in ["", "AQ", "not a token", "eyJhIjoxfQ", "AQAAAAAAAAAAAAAAAAAAAAAA"] {
        assert!(tokens.open(SCOPE, foreign).is_err(), "{foreign}");
    }
}
