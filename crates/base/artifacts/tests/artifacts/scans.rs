//! Pickles of every sort, formats, archives and bombs; and that nothing makes a scan panic.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;
use stoa_artifacts::{Format, Limits, MemorySpool, scan};

use crate::making::*;

#[test]
fn an_import_is_found_in_every_protocol() {
    for bytes in [PROTOCOL_0, PROTOCOL_2, PROTOCOL_4] {
        let found = scanned(bytes);
        assert_eq!((found.format, found.inner.len()), (Format::Pickle, 0));
        assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["os.system"]);
        assert!(found.problems.is_empty());
    }
}

#[test]
fn tricks_that_hide_an_import_do_not() {
    let cases: [(&[u8], &str); 9] = [
        // INST, and OBJ.
        (b"(S'id'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'id'\no.", "os.system"),
        // NEWOBJ and NEWOBJ_EX of a class.
        (b"\x80\x02csubprocess\nPopen\nN\x85\x81.", "subprocess.Popen"),
        (b"\x80\x04csubprocess\nPopen\n)}\x92.", "subprocess.Popen"),
        // The names from the memo.
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x9400h\x00h\x01\x93)R.", "os.system"),
        // Values before, thrown away.
        (b"N0K\x010cos\nsystem\n(S'id'\ntR.", "os.system"),
        // Marks popped one by one.
        (b"((00cos\nsystem\n(S'id'\ntR.", "os.system"),
        // Calls are made before the end, so an end is not needed.
        (b"cos\nsystem\n(S'id'\ntR\xff\xff", "os.system"),
        // A memo index used twice counts once, as in Python.
        (b"\x80\x04\x8c\x01xq\x00q\x00\x94\x8c\x02osq\x05\x8c\x06system\x93)R.", "os.system"),
    ];
    for (bytes, import) in cases {
        assert!(imports(bytes).contains(&import.to_owned()), "{}: {:?}", bytes.escape_ascii(), scanned(bytes));
    }
}

#[test]
fn what_cannot_be_known_is_a_problem() {
    let cases: [(&[u8], &str); 9] = [
        (b"\x80\x04N\x8c\x06system\x93)R.", "computed name"),
        (b"\x80\x04V\\u006fs\n\x8c\x06system\x93)R.", "computed name"),
        (b"\x80\x02\x82\x01)R.", "extension registry"),
        (b"\x80\x02ca\nb\n)R)R.", "calls a computed value"),
        (b"\x80\x02ca\nb\n}b.", "changes a.b itself"),
        (b"\x80\x02ca\nb\n", "cannot be read to its end"),
        (b"\x80\x02N.garbage", "follow the pickle's end"),
        (b"\x80\x02\xff.", "no opcode"),
        (b"\x80\x02h\x05.", "memo"),
    ];
    for (bytes, problem) in cases {
        let found = scanned(bytes);
        assert!(found.problems.iter().any(|text| text.contains(problem)), "{}: {found:?}", bytes.escape_ascii());
        assert_eq!(found.format, Format::Pickle);
    }
    // A way through attributes is no name in the module.
    assert_eq!(imports(b"\x80\x04\x8c\x07sklearn\x8c\x09os.system\x93)R."), ["sklearn:os.system"]);
}

#[test]
fn data_alone_is_harmless() {
    // {'a': [1, 2.5, b'x', None], 'b': (True, {3})}
    let plain = b"\x80\x04\x95&\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94]\x94(K\x01G@\x04\x00\x00\x00\x00\x00\x00C\x01x\x94Ne\x8c\x01b\x94\x88\x8f\x94(K\x03\x90\x86\x94u.";
    let found = scanned(plain);
    assert_eq!((found.format, found.imports.len(), found.problems.len()), (Format::Pickle, 0, 0), "{found:?}");
    // Several in a row, the second with an import.
    assert_eq!(imports(&[b"\x80\x02N.", PROTOCOL_2].concat()), ["os.system"]);
}

#[test]
fn files_of_torch_before_1_6_end_in_raw_bytes() {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let four = b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02ccollections\nOrderedDict\n)R.\x80\x02].";
    let found = scanned(&[magic.as_slice(), four, b"\x01\x02\x03\xff"].concat());
    assert_eq!((found.format, found.problems.len()), (Format::Pickle, 0), "{found:?}");
    assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["collections.OrderedDict"]);
}

#[test]
fn formats_are_told_by_bytes() {
    let header = br#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let safetensors = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    let onnx = b"\x08\x07\x12\x04stoa\x3a\x03\x12\x01g\x42\x02\x10\x0d";
    let cases: [(&[u8], Format); 12] = [
        (&safetensors, Format::Safetensors),
        (onnx, Format::Onnx),
        (b"GGUF\x03\x00\x00\x00", Format::Gguf),
        (b"\x89HDF\r\n\x1a\n....", Format::Hdf5),
        (b"{\"a\": 1}", Format::Json),
        (b" [1]", Format::Json),
        (b"cats are nice\nand dogs\n", Format::Text),
        (b"cat\ndog\nfox\n", Format::Text),
        ("größe\n".as_bytes(), Format::Text),
        (b"", Format::Text),
        (b"\x00\x01\x02", Format::Unknown),
        (b"\x08\x07\x12\x04stoa", Format::Unknown),
    ];
    for (bytes, format) in cases {
        let found = scanned(bytes);
        assert_eq!(found.format, format, "{}: {found:?}", bytes.escape_ascii());
        assert!(found.imports.is_empty() && found.problems.is_empty(), "{found:?}");
    }
}

#[test]
fn a_pickle_that_is_also_something_else_is_read_as_both() {
    // A safetensors file whose length is BINUNICODE's opcode: to an unpickler the header is a string.
    let mut header = br#"{"__metadata__":{"a":"b"}}"#.to_vec();
    header.resize(0x58, b' ');
    let mut bytes = [&0x58_u64.to_le_bytes()[..], &header].concat();
    // X, then a length of four bytes (00 00 00 00), then three bytes that would be opcodes: not valid.
    assert_eq!(scanned(&bytes).format, Format::Safetensors);
    // With a length in its second byte, the string takes in what follows.
    let length = 0x58 + (0x60_u64 << 8);
    header.resize(usize::try_from(length).unwrap(), b' ');
    bytes = [&length.to_le_bytes()[..], &header].concat();
    let after = 5 + 0x60;
    bytes.splice(after..after + PROTOCOL_0.len(), PROTOCOL_0.iter().copied());
    let found = scanned(&bytes);
    assert_eq!(found.format, Format::Safetensors);
    assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["os.system"]);
}

#[test]
fn arrays_of_objects_are_pickles() {
    let array = |descr: &str, data: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}\n");
        [b"\x93NUMPY\x01\x00", &u16::try_from(header.len()).unwrap().to_le_bytes()[..], header.as_bytes(), data]
            .concat()
    };
    let found = scanned(&array("<f4", &[0; 4]));
    assert_eq!((found.format, found.problems.len()), (Format::NumPy, 0));
    assert_eq!(imports(&array("|O", PROTOCOL_2)), ["os.system"]);
    assert!(!scanned(b"\x93NUMPY\x01\x00\xff\xff").problems.is_empty());
    // In an .npz, which is a zip.
    let found = scanned(&zip_of(&[("a.npy", &array("|O", PROTOCOL_2))], false));
    assert_eq!((found.format, found.inner.into_iter().collect::<Vec<_>>()), (Format::Zip, vec![Format::NumPy]));
    assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["os.system"]);
}

#[test]
fn pickles_are_found_in_archives_of_archives() {
    for deflated in [false, true] {
        let torch = zip_of(&[("archive/data.pkl", PROTOCOL_4), ("archive/data/0", &[0; 8])], deflated);
        let found = scanned(&torch);
        assert_eq!((found.format, found.inner.len()), (Format::PyTorch, 0));
        assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["os.system"]);
        let tar = tar_of(&[("config.json", b"{}"), ("pytorch_model.bin", &torch)]);
        for archive in [tar.clone(), gzip_of(&tar)] {
            let found = scanned(&archive);
            assert_eq!(found.format, Format::Tar);
            assert_eq!(found.inner.into_iter().collect::<Vec<_>>(), [Format::PyTorch, Format::Json]);
            assert_eq!(found.imports.into_iter().collect::<Vec<_>>(), ["os.system"]);
        }
    }
    let mut joblib = ZlibEncoder::new(Vec::new(), Compression::fast());
    joblib.write_all(PROTOCOL_2).unwrap();
    assert_eq!(imports(&joblib.finish().unwrap()), ["os.system"]);
    let found = scanned(&gzip_of(PROTOCOL_2));
    assert_eq!((found.format, found.imports.len()), (Format::Gzip, 1));
}

#[test]
fn bombs_end_within_their_limits() {
    let zeros = vec![0_u8; 4 << 20];
    let limits = Limits { expanded_bytes: 1 << 20, members: 10, depth: 2 };
    let many: Vec<(String, &[u8])> = (0..20).map(|number| (format!("f{number}"), b"x".as_slice())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let deep = tar_of(&[("a", &tar_of(&[("b", &tar_of(&[("c", PROTOCOL_0)]))]))]);
    for (what, bytes) in [
        ("gzip", gzip_of(&zeros)),
        ("tar.gz", gzip_of(&tar_of(&[("zeros", &zeros)]))),
        ("tar.gz of a directory's bytes", gzip_of(&tar_of(&[("a", b"x"), ("zeros", &zeros), ("b", b"y")]))),
        ("zip", zip_of(&[("zeros", &zeros)], true)),
        ("members of a zip", zip_of(&many, false)),
        ("members of a tar", tar_of(&many)),
        ("depth", deep),
    ] {
        let found = scan(&mut Cursor::new(bytes), &MemorySpool, limits).unwrap();
        assert!(!found.problems.is_empty(), "{what}: {found:?}");
    }
}

#[test]
fn a_broken_zip_is_a_problem() {
    let good = zip_of(&[("a", b"x")], false);
    for cut in [2, 10, 30] {
        assert!(!scanned(&good[..good.len() - cut]).problems.is_empty(), "{cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_with_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        scanned(&bytes);
    }

    #[test]
    fn any_pickle_ends_with_an_answer(bytes in proptest::collection::vec(
        prop_oneof![proptest::sample::select(b"(.012FIJKLMNPQRSTUVXabcdeghijlopqrstu)]}GB C\n'".to_vec()), 0x80_u8..0x9a, any::<u8>()], 0..512)) {
        scanned(&[b"\x80\x04", bytes.as_slice()].concat());
    }

    #[test]
    fn a_damaged_archive_ends_with_an_answer(at in 0_usize..600, byte in any::<u8>(), deflated in any::<bool>()) {
        let torch = zip_of(&[("data.pkl", PROTOCOL_4), ("data/0", &[0; 8])], deflated);
        for mut bytes in [torch.clone(), tar_of(&[("x", &torch)]), gzip_of(&tar_of(&[("x", &torch)]))] {
            let at = at % bytes.len();
            bytes[at] = byte;
            scanned(&bytes);
        }
    }
}
