//! Ways past a scanner: each file does something when it is loaded, or is not looked into to its end, and is not clean.

use std::io::{self, Cursor, Read};

use stoa_artifacts::{Format, Limits, MemorySpool, ReadSeek, Scan, Spool, scan};

use crate::making::*;

const CALL: &[u8] = b"cos\nsystem\n(S'id'\ntR.";

/// Found as an import of `os.system`, whatever else.
fn gives_itself_away(what: &str, bytes: &[u8]) {
    let found = scanned(bytes);
    assert!(found.imports.contains("os.system"), "{what}: {found:?}");
}

/// A problem says so, in these words.
fn told(what: &str, bytes: &[u8], words: &str) -> Scan {
    let found = scanned(bytes);
    assert!(found.problems.iter().any(|problem| problem.contains(words)), "{what}: {found:?}");
    found
}

/// Not looked into: a problem, and something unknown within for whoever goes by formats alone.
fn unseen(what: &str, bytes: &[u8], words: &str) {
    let found = told(what, bytes, words);
    assert!(found.format == Format::Unknown || found.inner.contains(&Format::Unknown), "{what}: {found:?}");
}

/// Clean, so that the rows above are not refused for another reason.
fn clean(what: &str, bytes: &[u8]) -> Scan {
    let found = scanned(bytes);
    assert!(found.problems.is_empty() && found.imports.is_empty(), "{what}: {found:?}");
    found
}

fn after(start: &[u8]) -> Vec<u8> {
    [start, CALL].concat()
}

#[test]
fn numbers_are_read_as_python_reads_them() {
    for (what, bytes) in [
        ("an underscore", b"Vos\np1_0\nVsystem\np11\n00g10\ng11\n\x93)R.".as_slice()),
        ("a plus and spaces", b"Vos\np +10 \nVsystem\np11\n00g10\ng11\n\x93)R."),
        ("minus nothing", b"Vos\np-0\nVsystem\np11\n00g0\ng11\n\x93)R."),
        ("a NUL, where C ends", b"Vos\np5\0x\nVsystem\np6\n00g5\ng6\n\x93)R."),
        ("numbers that are none", b"I1_0\n0L0x1fL\n0Finf\n0cos\nsystem\n)R."),
    ] {
        gives_itself_away(what, bytes);
    }
    told("an index past all bounds", b"cos\nsystem\np99999999999999999999999\n)R.", "too large");
}

#[test]
fn limits_of_the_reader_are_no_end_for_python() {
    let long = |opcode: &str, length: usize| format!("{opcode}{}\n0", "1".repeat(length)).into_bytes();
    gives_itself_away("a long text", &after(&long("V", 2 << 20)));
    gives_itself_away("a long number", &after(&long("I", 3 << 20)));
    gives_itself_away("a long text in quotes", &after(format!("S'{}'\n0", "x".repeat(2 << 20)).as_bytes()));
    told("a long index", &after(&[b"Np".as_slice(), &long("", 2 << 20)].concat()), "too long");
    told("many values", &after(&vec![b'N'; (8 << 20) + 2]), "too many values");
    told("a high index", b"cos\nsystem\nr\x00\x00\x00\x7f)R.", "more values than are kept");
    told("a long module", format!("c{}\nsystem\n)R.", "a".repeat(600)).as_bytes(), "too long");
    told("a longer module", format!("c{}\nsystem\n)R.", "a".repeat(2 << 20)).as_bytes(), "too long");
    let many: Vec<u8> = (0..1100).flat_map(|number| format!("cm{number}\nx\n0").into_bytes()).collect();
    told("many imports", &after(&many), "too much");
    // Texts have a budget: past it a name is a computed one.
    let text = [b"X\xf0\x00\x00\x00".as_slice(), &[b'a'; 240]].concat();
    let texts = text.repeat((66 << 20) / 256).into_iter().chain(*b"Vos\nVsystem\n\x93)R.").collect::<Vec<_>>();
    told("many texts", &texts, "computed name");
}

#[test]
fn names_that_are_unusual_are_imported_all_the_same() {
    let found = scanned(b"cmy-model\nrun\n)R.");
    assert!(found.imports.contains("my-model.run"), "{found:?}");
    told("spaces", b"cmy model\nrun\n)R.", "no name");
    // The unpickler written in Python takes a line without an end, less its last letter: joblib and dill use it.
    gives_itself_away("an INST at the end", b"(S'id'\nios\nsystem\x0b");
    // Texts that begin so are texts.
    for text in ["cats are nice\nand dogs\n", "can\n", "call it\nwhat\nyou like\n", "i\n"] {
        assert_eq!(clean(text, text.as_bytes()).format, Format::Text);
    }
}

#[test]
fn what_an_import_is_changed_by_counts() {
    for (what, bytes) in [
        ("an item", b"cos\nenviron\nVa\nVb\ns\xff".as_slice()),
        ("items", b"cos\nenviron\n(Va\nVb\nu\xff"),
        ("append", b"cm\nlist\nNa\xff"),
        ("appends", b"cm\nlist\n(Ne\xff"),
        ("additems", b"cm\nset\n(N\x90\xff"),
        ("state", b"cm\nC\n}b\xff"),
    ] {
        assert_eq!(told(what, bytes, "itself").format, Format::Pickle);
    }
    let wrapper = b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b.";
    told("an array of joblib", wrapper, "not looked past");
}

#[test]
fn only_plain_arrays_are_believed() {
    for plain in ["'<f4'", "'>i4'", "'|S4'", "'<U1'", "'=u4'", "\"<f4\"", "'V4'", "'<c4'"] {
        assert_eq!(clean(plain, &array(plain, &[0; 4])).format, Format::NumPy);
    }
    clean("bool", &array("'|b1'", &[1]));
    clean("dates", &array("'<M8[ns]'", &[1; 8]));
    let square = "{'shape':(2, 3),'fortran_order':True,'descr':'<f8'}";
    clean("another order", &array_with(square, &[0; 48]));
    clean("a scalar", &array_with("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", &[0; 8]));
    for objects in [
        "'O'",
        "'|O'",
        "'|O8'",
        "'<O4'",
        "'object'",
        "'|\\x4f'",
        "'' 'O'",
        "[('a', 'O')]",
        "[('a', '<f4'), ('b', '|O8')]",
        "[('a', [('b', 'O')])]",
        "[(('title', 'a'), '|O')]",
        "[('a', '|O', (2,))]",
        "'O,f4'",
        "{'names': ['a']}",
    ] {
        gives_itself_away(objects, &array(objects, PROTOCOL_2));
        let npz = zip_of(&[("a.npy", &array(objects, PROTOCOL_2))], false);
        gives_itself_away(objects, &npz);
    }
    let twice = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'descr': 'O'}";
    gives_itself_away("the second counts", &array_with(twice, PROTOCOL_2));
    told("a structure of numbers", &array("[('a', '<f4')]", &[0; 4]), "neither plain numbers nor a pickle");
    // np.load is called once more by some.
    let two = [array("'<f4'", &[0; 4]), array("'O'", PROTOCOL_2)].concat();
    unseen("a second array", &two, "more or fewer bytes");
    unseen("no header", b"\x93NUMPY\x01\x00\xff\xff", "header");
}

#[test]
fn entries_of_tars_that_readers_disagree_about() {
    let file = tar_file("model.bin", b"x");
    clean("plain", &tar_with(&[file.clone(), pax(b'g', &[("comment", "abc")]), file.clone()]));
    let long = pax(b'x', &[("path", "a/b"), ("mtime", "1.5"), ("SCHILY.xattr.user.a", "x\ny")]);
    clean("described", &tar_with(&[long, file.clone()]));
    let cases: [(&str, Vec<Vec<u8>>, &str); 20] = [
        (
            "holes by PAX",
            vec![pax(b'x', &[("GNU.sparse.map", "0,1"), ("GNU.sparse.size", "9")]), file.clone()],
            "holes",
        ),
        ("holes by PAX 1.0", vec![pax(b'x', &[("GNU.sparse.major", "1")]), file.clone()], "holes"),
        ("holes of old", vec![tar_entry(b'S', b"a", "", 1, b"x")], "holes"),
        ("Z", vec![tar_entry(b'Z', b"a", "", CALL.len() as u64, CALL)], "unknown type"),
        ("X of Solaris", vec![tar_entry(b'X', b"a", "", 1, b"x")], "unknown type"),
        ("a device", vec![tar_entry(b'3', b"a", "", 0, b"")], "device"),
        ("a pipe", vec![tar_entry(b'6', b"a", "", 0, b"")], "device"),
        ("a size by PAX", vec![pax(b'x', &[("size", "1")]), tar_entry(b'0', b"a", "", 512, b"x")], "unusual size"),
        ("a size of another base", vec![pax(b'x', &[("size", "1_0")]), file.clone()], "unusual size"),
        ("a size for all", vec![pax(b'g', &[("size", "1")]), file.clone()], "about all"),
        ("a link with bytes", vec![tar_entry(b'2', b"a", "b", 512, &file)], "with bytes"),
        ("a hard link with bytes", vec![tar_entry(b'1', b"a", "b", 512, &file)], "with bytes"),
        ("a folder with bytes", vec![tar_entry(b'5', b"a/", "", 512, &file)], "with bytes"),
        ("a file as a folder", vec![tar_entry(0, b"a/", "", 512, &file)], "with bytes"),
        (
            "two long names",
            vec![tar_entry(b'L', b"", "", 1, b"a"), tar_entry(b'L', b"", "", 1, b"b"), file.clone()],
            "twice",
        ),
        ("a broken PAX header", vec![tar_entry(b'x', b"", "", 9, b"99 size=1"), file.clone()], "malformed"),
        ("a name for nothing", vec![tar_entry(b'L', b"", "", 1, b"a")], "ends before"),
        ("a long header", vec![tar_entry(b'L', b"", "", 2 << 20, &vec![b'a'; 2 << 20]), file.clone()], "too long"),
        ("something after the end", vec![file.clone(), vec![0; 1024], file.clone()], "follow the tar's end"),
        ("an entry that is cut off", vec![tar_entry(b'5', b"a", "", 4096, b"x")], "cut off"),
    ];
    for (what, entries, words) in cases {
        let tar = tar_with(&entries);
        unseen(what, &tar, words);
        unseen(what, &gzip_of(&tar), words);
    }
    gives_itself_away("Z is a file to Python", &tar_with(&[tar_entry(b'Z', b"a", "", CALL.len() as u64, CALL)]));
    let mut odd = tar_file("a", b"x");
    odd[124..136].copy_from_slice(b"\x80\x01\0\0\0\0\0\0\0\0\0\x01");
    let sum: u32 = odd[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    odd[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    unseen("a size of twelve bytes", &tar_with(&[odd]), "unusual way");
}

#[test]
fn entries_of_tars_that_lead_out() {
    let link = |name: &str, target: &str| tar_entry(b'2', name.as_bytes(), target, 0, b"");
    let hard = |name: &str, target: &str| tar_entry(b'1', name.as_bytes(), target, 0, b"");
    for inside in [
        vec![tar_file("./a/b", b"x"), link("a/c", "b"), hard("d", "a/b")],
        vec![tar_file("blobs/x", b"x"), link("snapshots/1/model", "../../blobs/x")],
        vec![tar_entry(b'5', b"a/", "", 0, b""), link("b", "a")],
    ] {
        clean("inside", &tar_with(&inside));
    }
    for outside in [
        vec![tar_file("../a", b"x")],
        vec![tar_file("/etc/passwd", b"x")],
        vec![tar_file("a/../../b", b"x")],
        vec![link("a", "/etc/passwd")],
        vec![link("a/b", "../../c")],
        vec![link("a", "b/../c")],
        vec![hard("a", "../b")],
        vec![hard("a/b", "../c")],
        // A file written through a link, and a way up through one.
        vec![link("a", "b"), tar_file("a/c", b"x")],
        vec![link("d/e/up", ".."), link("d/e/up/more", "../..")],
        vec![pax(b'x', &[("path", "../a")]), tar_file("a", b"x")],
        vec![pax(b'x', &[("linkpath", "/etc")]), link("a", "b")],
        vec![tar_entry(b'K', b"", "", 4, b"/etc"), link("a", "b")],
    ] {
        unseen("outside", &tar_with(&outside), "out of the archive");
    }
}

#[test]
fn a_tar_is_one_whatever_its_first_name_is() {
    for name in ["GGUF", "PK\u{3}\u{4}", "\u{89}HDF"] {
        let tar = tar_with(&[tar_file(name, b"x"), tar_file("model.pkl", CALL)]);
        gives_itself_away(name, &tar);
        gives_itself_away(name, &gzip_of(&tar));
    }
    unseen("both", &tar_with(&[tar_file("GGUF", b"x")]), "at once");
    // A name that is a pickle, to whoever reads the file as one.
    let tar = tar_with(&[tar_file(std::str::from_utf8(CALL).unwrap(), b"x")]);
    gives_itself_away("a tar", &tar);
    gives_itself_away("a tar in a gzip", &gzip_of(&tar));
    // A checksum as old systems made it, of signed bytes, and without a magic.
    let mut old = tar_file("model.pkl", CALL);
    old[257..265].fill(0);
    old[300] = 0xff;
    old[148..156].fill(b' ');
    let sum: i64 = old[..512].iter().map(|byte| i64::from(*byte as i8)).sum();
    old[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    gives_itself_away("signed", &tar_with(&[old]));
}

#[test]
fn what_is_compressed_otherwise_is_named() {
    let heads: [(&str, &[u8]); 11] = [
        ("bzip2", b"BZh91AY&SY\x94$|\x0e\x00\x00\x00"),
        ("bzip2", b"BZh9\x17rE8P\x90\x00\x00\x00\x00"),
        ("xz", b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F"),
        ("zstd", b"\x28\xb5\x2f\xfd\x20\x01\x09\x00\x00x"),
        ("zstd or lz4", b"\x50\x2a\x4d\x18\x00\x00\x00\x00"),
        ("lz4", b"\x04\x22\x4d\x18\x64\x40\xa7"),
        ("lzma", b"\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00<"),
        ("lzma", b"\x5d\x00\x00\x18\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00<"),
        ("7z", b"7z\xbc\xaf\x27\x1c\x00\x04"),
        ("rar", b"Rar!\x1a\x07\x01\x00"),
        ("cpio", b"070701000000000000"),
    ];
    for (name, head) in heads {
        unseen(name, head, name);
        for within in
            [zip_of(&[("a", head)], true), tar_of(&[("a", head)]), gzip_of(head), gzip_of(&tar_of(&[("a", head)]))]
        {
            unseen(name, &within, name);
        }
    }
    for (name, method) in [("bzip2", 12), ("lzma", 14), ("zstd", 93), ("xz", 95), ("deflate64", 9), ("a way", 77)] {
        unseen(name, &zip_by_method(method, b"x"), name);
    }
    // The other members are looked at all the same.
    let mut zip = zip_of(&[("a", b"x"), ("b", CALL)], false);
    let directory = zip.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    zip[directory + 10] = 12;
    gives_itself_away("the next member", &zip);
    for text in ["BZh is a name", "\u{5d}", "(BZ"] {
        clean(text, text.as_bytes());
    }
}

#[test]
fn zips_that_readers_disagree_about() {
    let (good, evil) = (zip_of(&[("a", b"x")], false), zip_of(&[("data.pkl", CALL)], false));
    assert_eq!(clean("good", &good).format, Format::Zip);
    unseen("bytes before", &[b"PK\x03\x04".as_slice(), &evil].concat(), "not where its end says");
    unseen("bytes after", &[good.as_slice(), b"xx"].concat(), "follow the zip's end");
    unseen("two zips", &[good.as_slice(), &evil].concat(), "not where its end says");
    for start in [b"{\"a\": 1}\n".as_slice(), b"GGUF\x03\0\0\0", b"some text\n"] {
        unseen("a zip at the end", &[start, &evil].concat(), "a zip is at its end");
    }
    let end = good.len() - 22;
    let mut more = good.clone();
    more[end + 10] = 2;
    unseen("another number", &more, "number of members");
    let directory = good.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    let mut less = good.clone();
    less[directory + 24] = 0;
    unseen("another size", &less, "another size");
    let mut far = good.clone();
    far[directory + 42..directory + 46].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
    unseen("a member outside", &far, "not where the directory says");
    let mut commented = good.clone();
    commented[end + 20] = 3;
    commented.extend(b"abc");
    clean("a comment", &commented);
}

/// A zip with the records of a large one, as torch writes every zip; the numbers are those that are given.
fn large_zip(count: u64, directory_shift: u64) -> Vec<u8> {
    let mut zip = zip_of(&[("a", b"x")], false);
    let end = zip.split_off(zip.len() - 22);
    let at = zip.len() as u64;
    let length = u64::from(u32::from_le_bytes(end[12..16].try_into().unwrap()));
    let offset = u64::from(u32::from_le_bytes(end[16..20].try_into().unwrap()));
    zip.extend(b"PK\x06\x06");
    zip.extend(44_u64.to_le_bytes());
    zip.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for number in [count, count, length, offset + directory_shift] {
        zip.extend(number.to_le_bytes());
    }
    zip.extend(b"PK\x06\x07\0\0\0\0");
    zip.extend(at.to_le_bytes());
    zip.extend([1, 0, 0, 0]);
    zip.extend(end);
    zip
}

#[test]
fn the_two_ends_of_a_large_zip_agree() {
    clean("large", &large_zip(1, 0));
    unseen("another count", &large_zip(2, 0), "cannot be read");
    unseen("another place", &large_zip(1, 1), "cannot be read");
}

#[test]
fn texts_are_texts_to_their_end() {
    let long = "größe ".repeat(20_000);
    assert_eq!(clean("text", long.as_bytes()).format, Format::Text);
    assert_eq!(clean("JSON", format!("{{\"a\": \"{long}\"}}").as_bytes()).format, Format::Json);
    for end in [b"\0".as_slice(), b"\xff", b"\xc3", b"\x89HDF\r\n\x1a\n"] {
        assert_eq!(scanned(&[long.as_bytes(), end].concat()).format, Format::Unknown);
    }
}

#[test]
fn tensors_of_torch_may_begin_with_any_bytes() {
    let starts: [&[u8]; 5] =
        [b"\x80\x02\xff\xff", b"x\x9c\x4b\x4c\xff\xff\xff", b"\x1f\x8b\x00\x00", b"BZh1", b"\x80\x04c"];
    for start in starts {
        let torch = zip_of(&[("m/data.pkl", b"\x80\x02}."), ("m/data/0", start), ("m/version", b"3\n")], false);
        let found = clean("torch", &torch);
        assert_eq!((found.format, found.inner.len()), (Format::PyTorch, 0));
    }
    // But what runs, runs; and what is no part of torch's container is named.
    gives_itself_away("a pickle there", &zip_of(&[("data.pkl", b"\x80\x02}."), ("data/0", PROTOCOL_2)], false));
    let found = scanned(&zip_of(&[("data.pkl", b"\x80\x02}."), ("a.npy", &array("'<f4'", &[0; 4]))], false));
    assert_eq!(found.inner.into_iter().collect::<Vec<_>>(), [Format::NumPy]);
}

/// Has no room, or a broken disk.
struct Broken(i32);

impl Spool for Broken {
    fn spool(&self, _: &mut dyn Read) -> io::Result<Box<dyn ReadSeek>> {
        Err(io::Error::from_raw_os_error(self.0))
    }
}

#[test]
fn a_full_disk_says_nothing_about_the_file() {
    for (name, code) in [("ENOSPC", 28), ("EIO", 5), ("EDQUOT", 122)] {
        let torch = zip_of(&[("data.pkl", PROTOCOL_4)], true);
        for bytes in [torch.clone(), tar_of(&[("a", &torch)]), gzip_of(&tar_of(&[("a", &torch)])), gzip_of(b"x")] {
            let error = scan(&mut Cursor::new(bytes), &Broken(code), LIMITS).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(code), "{name}");
        }
    }
    // Bytes that are no stream are a fact about the file.
    let mut damaged = gzip_of(&[7; 4000]);
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    unseen("damaged", &damaged, "cannot be unpacked");
}

#[test]
fn limits_are_problems_and_tell_whether_more_would_help() {
    let bomb = gzip_of(&vec![0; 4 << 20]);
    let limits = Limits { expanded_bytes: 1 << 20, ..LIMITS };
    let found = scan(&mut Cursor::new(bomb.clone()), &MemorySpool, limits).unwrap();
    assert!(found.cut_short && found.inner.contains(&Format::Unknown), "{found:?}");
    assert!(!scanned(&bomb).cut_short);
    let deep = tar_of(&[("a", &tar_of(&[("b", &tar_of(&[("c", b"x")]))]))]);
    let found = scan(&mut Cursor::new(deep), &MemorySpool, Limits { depth: 2, ..LIMITS }).unwrap();
    assert!(!found.cut_short && found.inner.contains(&Format::Unknown), "{found:?}");
    assert_eq!(Limits::of_file(10, None).expanded_bytes, 40 + (1 << 30));
    assert_eq!(Limits::of_file(10, Some(1000)).expanded_bytes, 1000);
}
