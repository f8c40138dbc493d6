//! Looking into outputs for what belongs to one checkout: its directories, and the mark that stands for its root.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use memchr::memmem::Finder;
use wharf_base::digest::{Digest, Hasher};
use wharf_base::fs;

use crate::step::{Checkout, KeptLine};
use crate::tree::{Manifest, Node};

const CHUNK: usize = 1 << 20;

/// What was found in the outputs of one command.
pub(crate) struct Scan<'a> {
    checkout: &'a Checkout,
    roots: Vec<Finder<'a>>,
    mark: Finder<'a>,
    found: Vec<bool>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(checkout: &'a Checkout) -> Scan<'a> {
        let roots: Vec<Finder<'a>> =
            checkout.roots.iter().map(|root| Finder::new(root.as_os_str().as_bytes())).collect();
        let found = vec![false; roots.len()];
        Scan { checkout, roots, mark: Finder::new(&checkout.mark), found }
    }

    /// Looks through a file, and tells where the mark is in it.
    pub(crate) fn file(&mut self, path: &Path) -> fs::Result<Vec<u64>> {
        let file = fs::open(path)?;
        self.reader(file).map_err(|error| fs::Error::new("read", path, error))
    }

    fn reader(&mut self, mut reader: impl Read) -> io::Result<Vec<u64>> {
        let longest = self.roots.iter().chain([&self.mark]).map(|finder| finder.needle().len()).max();
        let overlap = longest.unwrap_or(1).saturating_sub(1);
        let mut buffer = vec![0; CHUNK + overlap];
        let (mut marks, mut kept, mut offset) = (Vec::new(), 0, 0u64);
        loop {
            let read = read_some(&mut reader, &mut buffer[kept..])?;
            if read == 0 {
                return Ok(marks);
            }
            let bytes = &buffer[..kept + read];
            self.bytes(bytes);
            for at in self.mark.find_iter(bytes) {
                let at = offset + at as u64;
                // The overlap is looked through twice.
                if marks.last().is_none_or(|last| *last < at) {
                    marks.push(at);
                }
            }
            let keep = overlap.min(bytes.len());
            let gone = bytes.len() - keep;
            offset += gone as u64;
            buffer.copy_within(gone..gone + keep, 0);
            kept = keep;
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for (finder, found) in self.roots.iter().zip(&mut self.found) {
            *found = *found || finder.find(bytes).is_some();
        }
    }

    pub(crate) fn lines(&mut self, lines: &[KeptLine]) {
        for line in lines {
            self.bytes(line.text.as_bytes());
        }
    }

    /// Looks through all files and links of a tree.
    pub(crate) fn tree(&mut self, manifest: &Manifest, root: &Path) -> fs::Result<()> {
        for entry in &manifest.entries {
            match &entry.node {
                Node::Dir => {}
                Node::File { .. } => drop(self.file(&root.join(&entry.path))?),
                Node::Link(target) => self.bytes(target.as_os_str().as_bytes()),
            }
        }
        Ok(())
    }

    pub(crate) fn text(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    /// The roots that were found.
    pub(crate) fn held(&self) -> Vec<PathBuf> {
        let found = self.checkout.roots.iter().zip(&self.found).filter(|(_, found)| **found);
        found.map(|(root, _)| root.clone()).collect()
    }
}

/// Fills as much of the buffer as there is.
fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes the root over the marks of a file, which keeps its length. Strings of debug information end with a zero
/// byte, so more of them behind a name change nothing; in front of a further part of the path, slashes fill the room.
pub(crate) fn write_root(file: &File, marks: &[u64], checkout: &Checkout) -> io::Result<()> {
    let root = checkout.root.as_os_str().as_bytes();
    let length = checkout.mark.len();
    for at in marks {
        let mut next = [0];
        let ends = file.read_at(&mut next, at + length as u64)? == 0 || next == [0];
        let mut bytes = root.to_vec();
        bytes.resize(length, if ends { 0 } else { b'/' });
        file.write_all_at(&bytes, *at)?;
    }
    Ok(())
}

/// What stands for the content of a file in which the marks gave way to the root.
pub(crate) fn rooted(content: &Digest, checkout: &Checkout) -> Digest {
    let mut hasher = Hasher::for_purpose("content with its root 1");
    hasher.digest(content).value(checkout.root.as_os_str().as_bytes()).finish()
}

/// Takes the scratch directory's path out of a text: what is kept must not name it.
pub(crate) fn without_scratch(text: &str, scratch: &Path) -> String {
    let dir = format!("{}/", scratch.display());
    // Rules of make have a backslash before a blank.
    text.replace(&dir, "").replace(&dir.replace(' ', "\\ "), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> Checkout {
        Checkout {
            roots: vec!["/home/me/project".into(), "/target".into()],
            mark: "/proc/self/cwd/././././.".into(),
            root: "/home/me/project".into(),
            texts: Vec::new(),
        }
    }

    #[test]
    fn finds_what_lies_across_two_chunks() {
        let checkout = checkout();
        for shift in [0, 1, 5, 20, 23, 24, 30] {
            let mut bytes = vec![b'x'; CHUNK + 100];
            let at = CHUNK - shift;
            bytes[at..at + checkout.mark.len()].copy_from_slice(checkout.mark.as_bytes());
            bytes[3..19].copy_from_slice(b"/home/me/project");
            let mut scan = Scan::new(&checkout);
            assert_eq!(scan.reader(&bytes[..]).unwrap(), [at as u64]);
            assert_eq!(scan.held(), [PathBuf::from("/home/me/project")]);
        }
    }

    #[test]
    fn the_root_takes_the_place_of_marks() {
        let checkout = checkout();
        let mark = &checkout.mark;
        let text = format!("a\0{mark}\0b\0{mark}/src\0");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, &text).unwrap();
        let marks = Scan::new(&checkout).file(&path).unwrap();
        assert_eq!(marks, [2, 5 + mark.len() as u64]);
        let file = File::options().read(true).write(true).open(&path).unwrap();
        write_root(&file, &marks, &checkout).unwrap();
        let want = "a\0/home/me/project\0\0\0\0\0\0\0\0\0b\0/home/me/project/////////src\0";
        assert_eq!(fs::read_to_string(&path).unwrap(), want);
    }

    #[test]
    fn lines_show_the_root() {
        let checkout = checkout();
        let line = |mark: &str| format!("--> {mark}/a/src/lib.rs:1:8");
        assert_eq!(checkout.shown(&line(&checkout.mark)), line("/home/me/project"));
    }
}
