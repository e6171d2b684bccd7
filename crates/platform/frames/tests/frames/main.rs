//! What was sealed opens, any range of it by itself, and nothing that was touched does.
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail the test")]

mod bounded;
mod driving;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use stoa_frames::{ByteStream, DataKey, FRAME, FrameError, HEADER, Opener, Sealer, TAG, open, seal, sealed_size};

const SALT: [u8; 32] = [9; 32];
const WHOLE: usize = FRAME + TAG;

fn key() -> DataKey {
    DataKey::new([7; 32])
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

fn sealed(plain: &[u8], piece: usize) -> Vec<u8> {
    let mut sealer = Sealer::new(&key(), SALT).unwrap();
    let mut all = sealer.header().to_vec();
    for piece in plain.chunks(piece.max(1)) {
        sealer.push(piece).unwrap().iter().for_each(|frame| all.extend_from_slice(frame));
    }
    all.extend_from_slice(&sealer.finish().unwrap());
    all
}

/// A range of a blob that should hold `size` bytes, pushed in pieces.
fn opened(blob: &[u8], size: usize, start: u64, length: u64, piece: usize) -> Result<Vec<u8>, FrameError> {
    let header = blob.get(..HEADER).ok_or(FrameError::Header)?;
    let mut opener = Opener::new(&key(), header, size as u64, start, length)?;
    let (from, count) = opener.needs();
    let from = (from as usize).min(blob.len());
    let to = (from + count as usize).min(blob.len());
    let mut all = Vec::new();
    for piece in blob[from..to].chunks(piece.max(1)) {
        opener.push(piece)?.iter().for_each(|bytes| all.extend_from_slice(bytes));
    }
    opener.finish().map(|()| all)
}

fn whole(blob: &[u8], size: usize) -> Result<Vec<u8>, FrameError> {
    opened(blob, size, 0, u64::MAX, 100_000)
}

const SIZES: [usize; 9] = [0, 1, 100, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 1, 3 * FRAME + 77];

#[test]
fn every_size_around_the_frames_opens_and_has_the_size_it_should() {
    for size in SIZES {
        let plain = bytes(size);
        let blob = sealed(&plain, 10_000);
        assert_eq!(blob.len() as u64, sealed_size(size as u64), "{size}");
        assert!(whole(&blob, size).unwrap() == plain, "{size}");
    }
}

#[test]
fn the_form_is_what_is_written_of_it() {
    // Opened by another implementation of AES-256-GCM, from the description alone.
    let plain = bytes(FRAME + 5);
    let blob = sealed(&plain, 1 << 20);
    let header = &blob[..HEADER];
    assert_eq!(&header[..16], b"stoaseal\x01\x10\0\0\0\0\0\0");
    assert_eq!(header[16..], SALT);
    let mac = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 32]);
    let derived = ring::hmac::sign(&mac, &[b"stoa/frames/key/v1", header].concat());
    let cipher = Aes256Gcm::new_from_slice(derived.as_ref()).unwrap();
    let frame = |number: u8, last: u8, sealed: &[u8]| {
        let nonce = Nonce::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, number, last]);
        cipher.decrypt(&nonce, Payload { msg: sealed, aad: header }).unwrap()
    };
    let first = frame(0, 0, &blob[HEADER..HEADER + WHOLE]);
    let last = frame(1, 1, &blob[HEADER + WHOLE..]);
    assert!([first, last].concat() == plain);
}

#[test]
fn a_bit_anywhere_is_noticed() {
    let plain = bytes(2 * FRAME + 9);
    let blob = sealed(&plain, 1 << 20);
    let places = (0..HEADER).chain((HEADER..blob.len()).step_by(4099)).chain(blob.len() - TAG..blob.len());
    for place in places {
        let mut altered = blob.clone();
        altered[place] ^= 1 << (place % 8);
        assert!(whole(&altered, plain.len()).is_err(), "{place}");
    }
}

#[test]
fn cut_off_anywhere_is_noticed_also_between_frames() {
    let plain = bytes(2 * FRAME + 9);
    let blob = sealed(&plain, 1 << 20);
    let between = [HEADER, HEADER + WHOLE, HEADER + 2 * WHOLE];
    for length in between.into_iter().chain((0..blob.len()).step_by(5003)) {
        assert!(whole(&blob[..length], plain.len()).is_err(), "{length}");
        // Whoever changes the size on record as well does not get further.
        let claimed = length.saturating_sub(HEADER) / WHOLE * FRAME;
        assert!(whole(&blob[..length], claimed).is_err(), "{length}");
    }
}

#[test]
fn swapped_repeated_dropped_and_foreign_frames_are_noticed() {
    let plain = bytes(4 * FRAME);
    let blob = sealed(&plain, 1 << 20);
    let (header, frames) = blob.split_at(HEADER);
    let frames: Vec<&[u8]> = frames.chunks(WHOLE).collect();
    let made = |order: &[usize]| {
        let frames: Vec<u8> = order.iter().flat_map(|at| frames[*at].to_vec()).collect();
        [header.to_vec(), frames].concat()
    };
    assert!(whole(&made(&[0, 1, 2, 3]), plain.len()).unwrap() == plain);
    for order in [[1, 0, 2, 3], [0, 1, 1, 3], [0, 2, 3, 3], [0, 1, 3, 2], [0, 0, 0, 0]] {
        assert!(whole(&made(&order), plain.len()).is_err(), "{order:?}");
    }
    assert!(whole(&made(&[0, 1, 3]), 3 * FRAME).is_err());
    assert!(whole(&made(&[0, 1, 2]), 3 * FRAME).is_err(), "the third was not the last");
    // The same bytes under the same data key, sealed once more.
    let mut sealer = Sealer::new(&key(), [8; 32]).unwrap();
    let other = [sealer.header(), sealer.push(&plain).unwrap()[0].clone()].concat();
    let mixed = [header, &other[HEADER..], &blob[HEADER + WHOLE..]].concat();
    assert_eq!(whole(&mixed, plain.len()), Err(FrameError::Damaged(0)));
    let header_of_the_other = [&other[..HEADER], &blob[HEADER..]].concat();
    assert!(whole(&header_of_the_other, plain.len()).is_err());
    // A wrong size on record.
    for size in [plain.len() - 1, plain.len() + 1, 3 * FRAME, 5 * FRAME, 0] {
        assert!(whole(&blob, size).is_err(), "{size}");
    }
}

#[test]
fn another_key_opens_nothing() {
    let blob = sealed(b"secret", 10);
    let opener = Opener::new(&DataKey::new([6; 32]), &blob[..HEADER], 6, 0, 6);
    assert_eq!(opener.unwrap().push(&blob[HEADER..]), Err(FrameError::Damaged(0)));
    let unknown = [b"stoaseal\x02".as_slice(), &blob[9..HEADER]].concat();
    assert_eq!(Opener::new(&key(), &unknown, 6, 0, 6).err(), Some(FrameError::Header));
    assert!(DataKey::of(&[0; 31]).is_none());
    assert_eq!(format!("{:?}", key()), "DataKey(…)");
}

#[test]
fn a_range_needs_no_more_than_its_frames() {
    let size = 10 * FRAME as u64 + 5;
    let header = Sealer::new(&key(), SALT).unwrap().header();
    let needs = |start, length| Opener::new(&key(), &header, size, start, length).unwrap().needs();
    let (frame, head) = (WHOLE as u64, HEADER as u64);
    assert_eq!(needs(0, 1), (head, frame));
    assert_eq!(needs(0, FRAME as u64), (head, frame));
    assert_eq!(needs(FRAME as u64, 1), (head + frame, frame));
    assert_eq!(needs(FRAME as u64 - 1, 2), (head, 2 * frame));
    assert_eq!(needs(size - 1, 100), (head + 10 * frame, 5 + TAG as u64));
    assert_eq!(needs(size, 100), (head + 10 * frame, 5 + TAG as u64));
    assert_eq!(needs(0, size), (head, sealed_size(size) - head));
}

fn streamed(pieces: Vec<Bytes>) -> ByteStream {
    stream::iter(pieces.into_iter().map(Ok)).boxed()
}

#[tokio::test]
async fn streams_are_sealed_and_opened_and_errors_go_through() {
    let plain = bytes(3 * FRAME + 5);
    let pieces = plain.chunks(7777).map(Bytes::copy_from_slice).collect();
    let all: Vec<_> = seal(streamed(pieces), Sealer::new(&key(), SALT).unwrap()).collect().await;
    let blob: Vec<u8> = all.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
    assert!(blob == sealed(&plain, 1 << 20));
    let opener = Opener::new(&key(), &blob[..HEADER], plain.len() as u64, 100, 2 * FRAME as u64).unwrap();
    let (from, count) = opener.needs();
    let body = Bytes::copy_from_slice(&blob[from as usize..(from + count) as usize]);
    let read: Vec<_> = open(streamed(vec![body.clone()]), opener).collect().await;
    let read: Vec<u8> = read.into_iter().flat_map(|piece| piece.unwrap().to_vec()).collect();
    assert!(read == plain[100..100 + 2 * FRAME]);

    let opener = Opener::new(&key(), &blob[..HEADER], plain.len() as u64, 100, 2 * FRAME as u64).unwrap();
    let cut: Vec<_> = open(streamed(vec![body.slice(..body.len() - 1)]), opener).collect().await;
    assert_eq!(cut.last().unwrap().as_ref().unwrap_err().to_string(), "sealed bytes are cut off in frame 2");
    // The end of an empty range is the end, however often it is asked for.
    let opener = Opener::new(&key(), &blob[..HEADER], plain.len() as u64, 5, 0).unwrap();
    let (from, count) = opener.needs();
    let mut nothing =
        open(streamed(vec![Bytes::copy_from_slice(&blob[from as usize..(from + count) as usize])]), opener);
    assert!(nothing.next().await.is_none() && nothing.next().await.is_none());
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err("gone".into())]).boxed();
    let all: Vec<_> = seal(broken, Sealer::new(&key(), SALT).unwrap()).collect().await;
    assert_eq!(all.len(), 2, "the header and the error, and no frame");
    assert_eq!(all[1].as_ref().unwrap_err().to_string(), "gone");
}

/// Not a test: `cargo test -p stoa-frames --release -- --ignored --nocapture` says how quick each implementation is.
#[test]
#[ignore = "measures"]
fn speed() {
    let frames = 16_384;
    let gib = (frames * FRAME) as f64 / f64::from(1 << 30);
    let piece = bytes(FRAME);
    let begin = std::time::Instant::now();
    let mut sealer = Sealer::new(&key(), SALT).unwrap();
    let sealed = (0..frames).map(|_| sealer.push(&piece).unwrap().len()).sum::<usize>();
    let ring = begin.elapsed().as_secs_f64();
    let blob = sealed_piece();
    let begin = std::time::Instant::now();
    for _ in 0..frames {
        let mut opener = Opener::new(&key(), &blob[..HEADER], FRAME as u64, 0, u64::MAX).unwrap();
        assert_eq!(opener.push(&blob[HEADER..]).unwrap().len(), 1);
    }
    let opening = begin.elapsed().as_secs_f64();
    let cipher = Aes256Gcm::new_from_slice(&[7; 32]).unwrap();
    let begin = std::time::Instant::now();
    for number in 0..frames {
        let nonce = Nonce::from((number as u128).to_be_bytes()[4..].try_into().map(|n: [u8; 12]| n).unwrap());
        assert!(cipher.encrypt(&nonce, Payload { msg: &piece, aad: &SALT }).unwrap().len() > FRAME);
    }
    let other = begin.elapsed().as_secs_f64();
    println!(
        "sealed {sealed} frames: {:.2} GiB/s; opened {:.2} GiB/s; aes-gcm seals {:.2} GiB/s",
        gib / ring,
        gib / opening,
        gib / other
    );
}

fn sealed_piece() -> Vec<u8> {
    sealed(&bytes(FRAME), 1 << 20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_size_in_any_pieces(size in 0..3 * FRAME + 100, start in 0..4 * FRAME, length in 0..4 * FRAME, piece in 1..90_000_usize) {
        let plain = bytes(size);
        let blob = sealed(&plain, piece);
        let from = start.min(size);
        let to = (start + length).min(size).max(from);
        prop_assert!(opened(&blob, size, start as u64, length as u64, piece).unwrap() == plain[from..to]);
    }

    #[test]
    fn what_was_touched_gives_the_right_bytes_or_none(size in 1..3 * FRAME, place in any::<prop::sample::Index>(), flip in 1..=255_u8, start in 0..3 * FRAME) {
        let plain = bytes(size);
        let mut blob = sealed(&plain, 1 << 20);
        let place = place.index(blob.len());
        blob[place] ^= flip;
        // A range that does not touch the frame may still be read; what comes is never wrong.
        if let Ok(read) = opened(&blob, size, start as u64, 1000, 5000) {
            let from = start.min(size);
            prop_assert!(read == plain[from..(from + 1000).min(size)]);
        }
        prop_assert!(whole(&blob, size).is_err());
    }
}
