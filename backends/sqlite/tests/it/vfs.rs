//! A disk that remembers what was synced: an SQLite VFS over the default one.
//!
//! Every write goes through to the real file; beside it each file has the image that its last sync left, and the
//! writes since then. A power cut keeps that image and, of the later writes, whichever chance leaves.

#![allow(unsafe_code, reason = "a VFS is a table of C functions")]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, MutexGuard};

use rusqlite::ffi;

/// What the disk can do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Whole,
    WithoutSharedMemory,
}

/// A registered VFS and what it has seen. Lives as long as the process, as SQLite may hold on to it.
pub(crate) struct Disk {
    name: CString,
    below: *mut ffi::sqlite3_vfs,
    shape: Shape,
    seen: Mutex<Seen>,
}

// The pointer leads to SQLite's own default VFS, which is static and used from all threads.
unsafe impl Sync for Disk {}
unsafe impl Send for Disk {}

#[derive(Default)]
struct Seen {
    images: HashMap<String, Image>,
    syncs: u64,
}

#[derive(Default, Clone)]
struct Image {
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// An open file: SQLite's head, the file below, and whose image it is.
#[repr(C)]
struct File {
    head: ffi::sqlite3_file,
    disk: *const Disk,
    /// An owned `CString`, or null for files that need not survive.
    path: *mut c_char,
    below: *mut ffi::sqlite3_file,
}

impl Disk {
    /// Registers a disk under a name that no other test uses.
    pub(crate) fn register(name: &str, shape: Shape) -> &'static Self {
        let disk: &'static Self = Box::leak(Box::new(Self {
            name: CString::new(format!("retell-test-{name}")).unwrap(),
            below: unsafe { ffi::sqlite3_vfs_find(ptr::null()) },
            shape,
            seen: Mutex::default(),
        }));
        assert!(!disk.below.is_null(), "SQLite has a default VFS");
        let below = unsafe { &*disk.below };
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 1,
            szOsFile: size_of::<File>() as c_int + below.szOsFile,
            mxPathname: below.mxPathname,
            pNext: ptr::null_mut(),
            zName: disk.name.as_ptr(),
            pAppData: ptr::from_ref(disk).cast_mut().cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: Some(last_error),
            xCurrentTimeInt64: None,
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        assert_eq!(unsafe { ffi::sqlite3_vfs_register(vfs, 0) }, ffi::SQLITE_OK);
        disk
    }

    /// What `Options::vfs` is to be given.
    pub(crate) fn name(&self) -> &str {
        self.name.to_str().unwrap()
    }

    /// How many files were synced until now.
    pub(crate) fn syncs(&self) -> u64 {
        self.seen().syncs
    }

    /// Writes what a power cut at this moment leaves into a folder. `chance` says of each write since the last sync
    /// whether it reached the disk.
    pub(crate) fn cut_power(&self, folder: &Path, mut chance: impl FnMut() -> bool) {
        let images = self.seen().images.clone();
        for (path, mut image) in images {
            for change in std::mem::take(&mut image.since) {
                if chance() {
                    change.apply(&mut image.synced);
                }
            }
            fs::write(folder.join(Path::new(&path).file_name().unwrap()), image.synced).unwrap();
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

impl Change {
    fn apply(self, image: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[at..end].copy_from_slice(&bytes);
            }
            Self::Truncate(length) => image.resize(length, 0),
        }
    }
}

unsafe fn disk<'a>(vfs: *mut ffi::sqlite3_vfs) -> &'a Disk {
    unsafe { &*(*vfs).pAppData.cast::<Disk>() }
}

/// Changes the image of a file that must survive.
unsafe fn with_image(file: *mut ffi::sqlite3_file, change: impl FnOnce(&mut Image, &mut u64)) {
    unsafe {
        let file = &*file.cast::<File>();
        if file.path.is_null() {
            return;
        }
        let path = CStr::from_ptr(file.path).to_str().unwrap();
        let seen = &mut *(*file.disk).seen();
        change(seen.images.entry(path.to_owned()).or_default(), &mut seen.syncs);
    }
}

/// Calls a method of the file below.
macro_rules! below {
    ($file:ident.$method:ident($($argument:expr),*)) => {{
        let below = (*$file.cast::<File>()).below;
        (*(*below).pMethods).$method.expect("the file below has this method")(below $(, $argument)*)
    }};
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    unsafe {
        let disk = disk(vfs);
        let shim = file.cast::<File>();
        (*shim).head.pMethods = ptr::null();
        (*shim).disk = disk;
        (*shim).path = ptr::null_mut();
        (*shim).below = shim.add(1).cast();
        let result = (*disk.below).xOpen.unwrap()(disk.below, name, (*shim).below, flags, out);
        if result != ffi::SQLITE_OK {
            return result;
        }
        if !name.is_null() && flags & (ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL) != 0 {
            (*shim).path = CStr::from_ptr(name).to_owned().into_raw();
        }
        (*shim).head.pMethods = match disk.shape {
            Shape::Whole => &METHODS,
            Shape::WithoutSharedMemory => &METHODS_WITHOUT_SHARED_MEMORY,
        };
        result
    }
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    unsafe {
        let disk = disk(vfs);
        disk.seen().images.remove(CStr::from_ptr(name).to_str().unwrap());
        (*disk.below).xDelete.unwrap()(disk.below, name, sync)
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    unsafe { (*disk(vfs).below).xAccess.unwrap()(disk(vfs).below, name, flags, out) }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    unsafe { (*disk(vfs).below).xFullPathname.unwrap()(disk(vfs).below, name, length, out) }
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, length: c_int, out: *mut c_char) -> c_int {
    unsafe { (*disk(vfs).below).xRandomness.unwrap()(disk(vfs).below, length, out) }
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    unsafe { (*disk(vfs).below).xSleep.unwrap()(disk(vfs).below, micros) }
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    unsafe { (*disk(vfs).below).xCurrentTime.unwrap()(disk(vfs).below, out) }
}

unsafe extern "C" fn last_error(vfs: *mut ffi::sqlite3_vfs, length: c_int, out: *mut c_char) -> c_int {
    unsafe { (*disk(vfs).below).xGetLastError.unwrap()(disk(vfs).below, length, out) }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

static METHODS_WITHOUT_SHARED_MEMORY: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    ..METHODS
};

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe {
        let shim = file.cast::<File>();
        if !(*shim).path.is_null() {
            drop(CString::from_raw((*shim).path));
        }
        below!(file.xClose())
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, out: *mut c_void, length: c_int, at: i64) -> c_int {
    unsafe { below!(file.xRead(out, length, at)) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    at: i64,
) -> c_int {
    unsafe {
        let result = below!(file.xWrite(bytes, length, at));
        if result == ffi::SQLITE_OK {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize).to_vec();
            with_image(file, |image, _| image.since.push(Change::Write { at: at as usize, bytes }));
        }
        result
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    unsafe {
        let result = below!(file.xTruncate(length));
        if result == ffi::SQLITE_OK {
            with_image(file, |image, _| image.since.push(Change::Truncate(length as usize)));
        }
        result
    }
}

/// The only way onto the disk.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        let result = below!(file.xSync(flags));
        if result == ffi::SQLITE_OK {
            with_image(file, |image, syncs| {
                for change in std::mem::take(&mut image.since) {
                    change.apply(&mut image.synced);
                }
                *syncs += 1;
            });
        }
        result
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    unsafe { below!(file.xFileSize(out)) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    unsafe { below!(file.xLock(level)) }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    unsafe { below!(file.xUnlock(level)) }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    unsafe { below!(file.xCheckReservedLock(out)) }
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, operation: c_int, out: *mut c_void) -> c_int {
    unsafe { below!(file.xFileControl(operation, out)) }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { below!(file.xSectorSize()) }
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    unsafe { below!(file.xDeviceCharacteristics()) }
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    unsafe { below!(file.xShmMap(region, size, extend, out)) }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    unsafe { below!(file.xShmLock(offset, count, flags)) }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    unsafe { below!(file.xShmBarrier()) }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    unsafe { below!(file.xShmUnmap(delete)) }
}
