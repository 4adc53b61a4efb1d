//! The ledger's file: locked while it is written, synced before it answers, repaired when it is opened.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Appended, ENTRY_BYTES_MAX, Entry, LedgerError, io_error};

/// A ledger open for appending.
#[derive(Debug)]
pub struct LedgerFile {
    file: File,
    path: PathBuf,
    keys: HashSet<String>,
    lines: usize,
    /// The end of the last whole line that was read or written.
    read_to: u64,
    /// How much of that this process has synced; what a killed process wrote may not be.
    synced_to: u64,
}

impl LedgerFile {
    /// Opens or creates a ledger, and cuts off a last line that a killed process left half written.
    ///
    /// # Errors
    /// [`LedgerError`] if it cannot be opened or is no ledger.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let created = !path.exists();
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path).map_err(io_error("open", path))?;
        if created {
            sync_directory_of(path).map_err(io_error("create", path))?;
        }
        let keys = HashSet::new();
        let mut ledger = Self { file, path: path.to_owned(), keys, lines: 0, read_to: 0, synced_to: 0 };
        ledger.locked(Self::catch_up)?;
        Ok(ledger)
    }

    /// Appends entries whose keys are new, and syncs. Answers one outcome for each, in order.
    ///
    /// # Errors
    /// [`LedgerError`]; some of the entries may be written then, and appending them again is safe.
    pub fn append(&mut self, entries: &[Entry]) -> Result<Vec<Appended>, LedgerError> {
        self.locked(|ledger| {
            ledger.catch_up()?;
            let mut lines = String::new();
            let mut outcomes = Vec::with_capacity(entries.len());
            let mut new_keys = HashSet::new();
            for entry in entries {
                let known = ledger.keys.contains(entry.key()) || !new_keys.insert(entry.key());
                outcomes.push(if known { Appended::Known } else { Appended::New });
                if !known {
                    lines.push_str(&format!("{entry}\n"));
                }
            }
            ledger.file.write_all(lines.as_bytes()).map_err(io_error("write", &ledger.path))?;
            ledger.keys.extend(new_keys.into_iter().map(str::to_owned));
            ledger.lines += lines.lines().count();
            ledger.read_to += lines.len() as u64;
            ledger.sync()?;
            Ok(outcomes)
        })
    }

    /// How many entries the ledger held when it was last read or written here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines
    }

    /// Whether it held none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    fn locked<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        self.file.lock().map_err(io_error("lock", &self.path))?;
        let result = work(self);
        self.file.unlock().map_err(io_error("unlock", &self.path))?;
        result
    }

    /// Reads what other processes appended, and cuts off a half line: under the lock nobody is still writing it.
    fn catch_up(&mut self) -> Result<(), LedgerError> {
        let length = self.file.metadata().map_err(io_error("read", &self.path))?.len();
        if length < self.read_to {
            let reason = format!("it had {} bytes and has {length}", self.read_to);
            return Err(LedgerError::Damaged { path: self.path.clone(), reason });
        }
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(self.read_to)).map_err(io_error("read", &self.path))?;
        self.file.read_to_end(&mut bytes).map_err(io_error("read", &self.path))?;
        let whole = whole_lines(&bytes);
        for entry in parse(whole, self.lines, &self.path)? {
            self.keys.insert(entry.key);
            self.lines += 1;
        }
        self.read_to += whole.len() as u64;
        let half = &bytes[whole.len()..];
        if half.len() > ENTRY_BYTES_MAX {
            let reason = format!("it ends in {} bytes that are no entry", half.len());
            return Err(LedgerError::Damaged { path: self.path.clone(), reason });
        }
        if !half.is_empty() {
            self.file.set_len(self.read_to).map_err(io_error("repair", &self.path))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LedgerError> {
        if self.synced_to < self.read_to {
            self.file.sync_data().map_err(io_error("sync", &self.path))?;
            self.synced_to = self.read_to;
        }
        Ok(())
    }
}

/// Reads all entries of a ledger; a half last line is no entry. A file that does not exist holds none.
///
/// # Errors
/// [`LedgerError`] if it cannot be read or is no ledger.
pub fn entries(path: &Path) -> Result<Vec<Entry>, LedgerError> {
    LedgerTail::of(path).more()
}

/// Reads a ledger while others append to it. Needs no lock: a whole line never changes.
#[derive(Debug)]
pub struct LedgerTail {
    path: PathBuf,
    file: Option<File>,
    lines: usize,
}

impl LedgerTail {
    /// A ledger from its beginning; its file may come later.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, lines: 0 }
    }

    /// The entries that were not read yet. A half last line is left for the next time.
    ///
    /// # Errors
    /// [`LedgerError`] if it cannot be read or is no ledger.
    pub fn more(&mut self) -> Result<Vec<Entry>, LedgerError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                opened => self.file.insert(opened.map_err(io_error("open", &self.path))?),
            },
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io_error("read", &self.path))?;
        let whole = whole_lines(&bytes);
        let half = i64::try_from(bytes.len() - whole.len()).expect("a buffer is shorter than that");
        file.seek_relative(-half).map_err(io_error("read", &self.path))?;
        let entries = parse(whole, self.lines, &self.path)?;
        self.lines += entries.len();
        Ok(entries)
    }
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &bytes[..end]
}

fn parse(whole: &[u8], lines_before: usize, path: &Path) -> Result<Vec<Entry>, LedgerError> {
    let damaged = |index: usize, reason: &dyn ToString| LedgerError::Damaged {
        path: path.to_owned(),
        reason: format!("line {}: {}", lines_before + index + 1, reason.to_string()),
    };
    let text = std::str::from_utf8(whole).map_err(|error| damaged(0, &error))?;
    text.lines()
        .enumerate()
        .map(|(index, line)| line.parse().map_err(|error| damaged(index, &error)))
        .collect()
}

/// A new file's name lies in its directory, which is synced apart from it.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(order: &str) -> Entry {
        Entry::new(order, "charge", 1_250).unwrap()
    }

    fn in_new_directory(check: impl FnOnce(&Path)) {
        let directory = tempfile::tempdir().unwrap();
        check(&directory.path().join("ledger"));
    }

    #[test]
    fn a_key_counts_once() {
        in_new_directory(|path| {
            let mut ledger = LedgerFile::open(path).unwrap();
            let twice = [charge("a"), charge("b"), charge("a")];
            assert_eq!(ledger.append(&twice).unwrap(), [Appended::New, Appended::New, Appended::Known]);
            drop(ledger);
            let mut ledger = LedgerFile::open(path).unwrap();
            assert_eq!(ledger.append(&[charge("b")]).unwrap(), [Appended::Known]);
            assert_eq!(entries(path).unwrap(), [charge("a"), charge("b")]);
            assert_eq!(ledger.len(), 2);
        });
    }

    #[test]
    fn a_half_written_last_line_is_cut_off() {
        in_new_directory(|path| {
            let whole = format!("{}\n", charge("a"));
            let torn = format!("{}", charge("b"));
            for length in 1..=torn.len() {
                std::fs::write(path, format!("{whole}{}", &torn[..length])).unwrap();
                assert_eq!(entries(path).unwrap(), [charge("a")]);
                let mut ledger = LedgerFile::open(path).unwrap();
                assert_eq!(ledger.append(&[charge("b")]).unwrap(), [Appended::New]);
                assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{whole}{torn}\n"));
            }
        });
    }

    #[test]
    fn a_half_line_of_another_process_is_cut_off_while_open() {
        in_new_directory(|path| {
            let mut ledger = LedgerFile::open(path).unwrap();
            ledger.append(&[charge("a")]).unwrap();
            let mut other = OpenOptions::new().append(true).open(path).unwrap();
            other.write_all(b"b/charge\tcha").unwrap();
            assert_eq!(ledger.append(&[charge("b")]).unwrap(), [Appended::New]);
            assert_eq!(entries(path).unwrap(), [charge("a"), charge("b")]);
        });
    }

    #[test]
    fn two_that_share_a_file_see_each_other() {
        in_new_directory(|path| {
            let mut one = LedgerFile::open(path).unwrap();
            let mut two = LedgerFile::open(path).unwrap();
            assert_eq!(one.append(&[charge("a")]).unwrap(), [Appended::New]);
            assert_eq!(two.append(&[charge("a"), charge("b")]).unwrap(), [Appended::Known, Appended::New]);
            assert_eq!(one.append(&[charge("b")]).unwrap(), [Appended::Known]);
            assert_eq!(entries(path).unwrap().len(), 2);
        });
    }

    #[test]
    fn a_damaged_line_is_named() {
        in_new_directory(|path| {
            std::fs::write(path, format!("{}\nnonsense\n", charge("a"))).unwrap();
            let error = LedgerFile::open(path).unwrap_err().to_string();
            assert!(error.ends_with(
                "is damaged: line 2: \"nonsense\" is not `key, kind, order, amount` between tabs"
            ));
        });
    }

    #[test]
    fn a_file_of_another_program_is_left_alone() {
        in_new_directory(|path| {
            let text = "one long line without an end ".repeat(100);
            std::fs::write(path, &text).unwrap();
            assert!(matches!(LedgerFile::open(path), Err(LedgerError::Damaged { .. })));
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        });
    }

    #[test]
    fn a_tail_goes_on_where_it_was_and_leaves_half_lines() {
        in_new_directory(|path| {
            let mut tail = LedgerTail::of(path);
            assert_eq!(tail.more().unwrap(), []);
            LedgerFile::open(path).unwrap().append(&[charge("a")]).unwrap();
            let mut killed = OpenOptions::new().append(true).open(path).unwrap();
            killed.write_all(b"b/charge\tcha").unwrap();
            assert_eq!(tail.more().unwrap(), [charge("a")]);
            assert_eq!(tail.more().unwrap(), []);
            LedgerFile::open(path).unwrap().append(&[charge("c")]).unwrap();
            assert_eq!(tail.more().unwrap(), [charge("c")]);
        });
    }

    #[test]
    fn a_ledger_that_became_shorter_is_refused() {
        in_new_directory(|path| {
            let mut ledger = LedgerFile::open(path).unwrap();
            ledger.append(&[charge("a")]).unwrap();
            std::fs::write(path, "").unwrap();
            assert!(matches!(ledger.append(&[charge("b")]), Err(LedgerError::Damaged { .. })));
        });
    }

    #[test]
    fn what_no_line_can_carry_is_refused() {
        assert!(matches!(Entry::new("a\tb", "charge", 1), Err(LedgerError::Unfit(_))));
        assert!(matches!(Entry::new("a", "", 1), Err(LedgerError::Unfit(_))));
        assert!(matches!(Entry::new(&"a".repeat(300), "charge", 1), Err(LedgerError::Unfit(_))));
    }
}
