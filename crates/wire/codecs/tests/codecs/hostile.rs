//! Input made to hurt: deep, long, lying. Run on a small stack, so that recursion over input shows.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use stoa_schema::ProtocolName;

use crate::support::*;

fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(512 * 1024).spawn(test).unwrap().join().unwrap();
}

#[test]
fn two_megabytes_of_nested_arrays() {
    on_small_stack(|| {
        let arrays = "[".repeat(2 << 20);
        let objects = "{\"Tree\":".repeat(200_000);
        let known = format!("{{\"Tree\":{}", "{\"Children\":[".repeat(100_000));
        for body in [
            arrays.clone(),
            format!("{{\"Texts\":{arrays}"),
            format!("{{\"Unknown\":{arrays}"),
            format!("{{\"Unknown\":{arrays}{}}}", "]".repeat(2 << 20)),
            format!("{{\"Unknown\":{}", "{\"a\":".repeat(400_000)),
            objects,
            known,
        ] {
            for name in [ProtocolName::AwsJson11, ProtocolName::RestJson1] {
                assert!(decode(name, &SHOW, body.as_bytes()).is_err());
            }
        }

        let cbor = |start: &[u8], nest: u8| [start, &vec![nest; 2 << 20]].concat();
        for body in [
            cbor(b"", 0x81),
            cbor(b"\xa1\x67Unknown", 0x81),
            cbor(b"\xa1\x67Unknown", 0x9f),
            cbor(b"\xa1\x67Unknown", 0xbf),
            cbor(b"\xa1\x67Unknown", 0xc1),
            cbor(b"\xa1\x65Texts", 0x81),
        ] {
            assert!(decode(ProtocolName::RpcV2Cbor, &SHOW, &body).is_err());
        }
        let trees = [&b"\xa1\x64Tree"[..], &b"\xa1\x68Children\x81".repeat(100_000)].concat();
        assert!(decode(ProtocolName::RpcV2Cbor, &SHOW, &trees).is_err());

        let form = format!("Tree{}.Name=x", ".Children.member.1".repeat(100_000));
        assert!(decode(ProtocolName::AwsQuery, &SHOW, form.as_bytes()).is_err());
        assert!(decode(ProtocolName::AwsQuery, &SHOW, "a.".repeat(1 << 20).as_bytes()).is_err());
    });
}

#[test]
fn nesting_up_to_the_bound_is_read() {
    let depth = 60;
    let body = format!("{{\"Tree\":{}{{\"Name\":\"x\"}}{}}}", "{\"Children\":[".repeat(depth), "]}".repeat(depth));
    let value = decode(ProtocolName::AwsJson11, &SHOW, body.as_bytes()).unwrap();
    for name in [ProtocolName::AwsJson11, ProtocolName::RpcV2Cbor, ProtocolName::RestJson1] {
        let encoded = encode(name, &SHOW, &value);
        assert_eq!(decode(name, &SHOW, &encoded.body).unwrap(), value);
    }
}

#[test]
fn lengths_that_lie_cost_nothing() {
    let started = Instant::now();
    for body in [
        &b"\xa1\x64Text\x7b\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\xa1\x64Blob\x5b\x00\x00\x00\xff\xff\xff\xff\xff",
        b"\xa1\x65Texts\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x67Unknown\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x67Unknown\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x67Unknown\xff",
        b"\xa1\x67Unknown\x1c",
        b"\xa1\x67Unknown\x5f\x5f\x41a\xff\xff",
        b"\xa1",
    ] {
        assert!(decode(ProtocolName::RpcV2Cbor, &SHOW, body).is_err(), "{body:x?}");
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn many_members_of_one_name_take_linear_time() {
    let started = Instant::now();
    let body = format!("{{{}\"Int\":1}}", "\"Text\":\"x\",".repeat(150_000));
    assert!(decode(ProtocolName::AwsJson11, &SHOW, body.as_bytes()).is_ok());
    let form = "Texts.member.1=x&".repeat(100_000);
    assert!(decode(ProtocolName::AwsQuery, &SHOW, form.as_bytes()).is_ok());
    assert!(started.elapsed() < Duration::from_secs(10));
}

proptest! {
    #[test]
    fn no_bytes_make_a_codec_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        for name in PROTOCOLS {
            let _ = decode(name, &SHOW, &body);
        }
    }

    #[test]
    fn no_near_miss_makes_the_cbor_reader_panic(cut in 0_usize..400, at in 0_usize..400, byte in any::<u8>()) {
        let mut body = crate::roundtrip::sample_cbor();
        if let Some(place) = body.get_mut(at) {
            *place = byte;
        }
        body.truncate(cut);
        let _ = decode(ProtocolName::RpcV2Cbor, &SHOW, &body);
    }

    #[test]
    fn no_path_makes_the_template_panic(path in "\\PC{0,40}") {
        let _ = stoa_codecs::match_uri("/a/{B}/{C+}", &path);
    }
}
