//! What proves that the bytes of a file are its bytes: a hash for each chunk, and one over them all,
//! which names the file.
//!
//! A flat list instead of a tree: it is at most 2 MiB, fetched once, and then proves every chunk by
//! itself, whoever it comes from.

use quartet_proto::{FileId, chunk_count, chunk_range};

/// BLAKE3, 32 bytes.
pub type Hash = [u8; 32];

/// What the hash over all begins with, so that it is no hash of anything else.
const CONTEXT: &[u8] = b"quartet file 1";

/// The hashes of a file's chunks, in their order.
#[derive(Clone, PartialEq, Eq)]
pub struct HashList {
    size: u64,
    hashes: Vec<Hash>,
}

impl HashList {
    /// Of a file of so many bytes; there has to be one hash for each chunk.
    #[must_use]
    pub fn new(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let complete = hashes.len() == chunk_count(size) as usize;
        complete.then_some(Self { size, hashes })
    }

    /// From what [`Self::to_bytes`] gives, if it is what the file is named for.
    #[must_use]
    pub fn read(file: FileId, size: u64, bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let list = Self::new(size, hashes.to_vec()).filter(|_| rest.is_empty())?;
        (list.file() == file).then_some(list)
    }

    /// The hashes, one after the other.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// What the file is named.
    #[must_use]
    pub fn file(&self) -> FileId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(CONTEXT).update(&self.size.to_be_bytes());
        for hash in &self.hashes {
            hasher.update(hash);
        }
        FileId::from_bytes(*hasher.finalize().as_bytes())
    }

    /// Whether these are the bytes of that chunk.
    #[must_use]
    pub fn proves(&self, chunk: u32, bytes: &[u8]) -> bool {
        let hash = self.hashes.get(chunk as usize);
        hash.is_some_and(|hash| {
            chunk_range(self.size, chunk).1 == bytes.len() && *hash == hash_chunk(bytes)
        })
    }
}

impl std::fmt::Debug for HashList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HashList({} chunks)", self.hashes.len())
    }
}

/// The hash of one chunk.
#[must_use]
pub fn hash_chunk(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

#[cfg(test)]
mod tests {
    use quartet_proto::limits::CHUNK_BYTES;

    use super::*;

    #[test]
    fn a_list_is_read_only_as_what_its_file_is_named_for() {
        let content = vec![7; CHUNK_BYTES as usize + 1];
        let size = content.len() as u64;
        let hashes = content.chunks(CHUNK_BYTES as usize).map(hash_chunk).collect();
        let list = HashList::new(size, hashes).unwrap();
        let bytes = list.to_bytes();
        assert_eq!(HashList::read(list.file(), size, &bytes), Some(list.clone()));
        assert_eq!(HashList::read(list.file(), size + 1, &bytes), None);
        assert_eq!(HashList::read(list.file(), size, &bytes[..63]), None);
        assert_eq!(HashList::read(list.file(), size, &[&bytes[..], &[0]].concat()), None);
        let mut other = bytes;
        other[40] ^= 1;
        assert_eq!(HashList::read(list.file(), size, &other), None);
        assert!(list.proves(1, &[7]) && !list.proves(1, &[8]) && !list.proves(1, &[7, 7]));
        assert!(!list.proves(0, &content) && !list.proves(2, &[]));
    }

    #[test]
    fn the_examples_of_the_protocol_page_are_true() {
        let empty = HashList::new(0, Vec::new()).unwrap();
        assert_eq!(empty.file().to_string(), EMPTY);
        let hello = HashList::new(5, vec![hash_chunk(b"hello")]).unwrap();
        assert_eq!(hello.file().to_string(), HELLO);
        let page = include_str!("../../../../docs/protocol.md");
        assert!(page.contains(EMPTY) && page.contains(HELLO));
    }

    const EMPTY: &str = "bt6vbNCIAjoOQRH0aF06I3uLt7Jie8G6K2fSI-7V2tU";
    const HELLO: &str = "OJRq3abpLipYjTHOJDCRP95ttqkQFsOthYqIjMWcTz8";
}
