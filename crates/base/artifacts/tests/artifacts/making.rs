//! Files for tests: made by hand, so that they can be wrong.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use stoa_artifacts::{Limits, MemorySpool, Scan, scan};

pub const LIMITS: Limits = Limits { expanded_bytes: 1 << 30, members: 100_000, depth: 4 };

pub fn scanned(bytes: &[u8]) -> Scan {
    scan(&mut Cursor::new(bytes.to_vec()), &MemorySpool, LIMITS).unwrap()
}

pub fn imports(bytes: &[u8]) -> Vec<String> {
    scanned(bytes).imports.into_iter().collect()
}

/// `os.system("id")` as each protocol would write it.
pub const PROTOCOL_0: &[u8] = b"cos\nsystem\n(S'id'\ntR.";
pub const PROTOCOL_2: &[u8] = b"\x80\x02cos\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.";
pub const PROTOCOL_4: &[u8] =
    b"\x80\x04\x95\x19\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";

/// A zip as Python's zipfile writes it.
pub fn zip_of(files: &[(&str, &[u8])], deflated: bool) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let stored = if deflated {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        } else {
            bytes.to_vec()
        };
        let offset = zip.len() as u32;
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, if deflated { 8 } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        common.extend((stored.len() as u32).to_le_bytes());
        common.extend((bytes.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        zip.extend(name.as_bytes());
        zip.extend(&stored);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (length, offset) = (directory.len() as u32, zip.len() as u32);
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06\x00\x00\x00\x00");
    zip.extend([(files.len() as u16).to_le_bytes(), (files.len() as u16).to_le_bytes()].concat());
    zip.extend(length.to_le_bytes());
    zip.extend(offset.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn gzip_of(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip whose bytes are these, its only member being stored by a method that may be any.
pub fn zip_by_method(method: u8, bytes: &[u8]) -> Vec<u8> {
    let mut zip = zip_of(&[("a", bytes)], false);
    let directory = zip.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    zip[8] = method;
    zip[directory + 10] = method;
    zip
}

/// A block of a tar: its type, name, link, size and bytes as they are given.
pub fn tar_entry(kind: u8, name: &[u8], link: &str, size: u64, bytes: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(size);
    header.set_cksum();
    let mut out = [header.as_bytes().as_slice(), bytes].concat();
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// A file of a tar.
pub fn tar_file(name: &str, bytes: &[u8]) -> Vec<u8> {
    tar_entry(b'0', name.as_bytes(), "", bytes.len() as u64, bytes)
}

/// A PAX header with these records.
pub fn pax(kind: u8, records: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length.to_string().len() + rest.len() != length {
            length += 1;
        }
        bytes.extend(format!("{length}{rest}").into_bytes());
    }
    tar_entry(kind, b"pax", "", bytes.len() as u64, &bytes)
}

/// Entries and the end.
pub fn tar_with(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

/// An array of NumPy by the text of its header.
pub fn array_with(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len() + 1).unwrap();
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], header.as_bytes(), b"\n", data].concat()
}

pub fn array(descr: &str, data: &[u8]) -> Vec<u8> {
    array_with(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}"), data)
}
