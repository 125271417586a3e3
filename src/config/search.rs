//! Which configuration file is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::mistake::{Mistake, Origin};

/// The folders in which the tools look for their file, in this order.
pub const FOLDERS: [&str; 3] = ["/usr/local/etc/acmegw", "/usr/local/etc/acmedns01gw", "/etc/acmegw"];

/// Which file is read: the one that was named, or the first of these that exists.
pub struct Search<'a> {
    /// From `-e`; before the environment's DOTENV.
    pub named: Option<PathBuf>,
    /// The file's name in [`FOLDERS`].
    pub file_name: &'a str,
    /// Tried last.
    pub last: Option<&'a Path>,
}

/// Is there a file of this name in one of the [`FOLDERS`]?
pub fn is_there(file_name: &str) -> bool {
    FOLDERS.iter().any(|folder| Path::new(folder).join(file_name).exists())
}

pub(super) fn locate(search: Search<'_>, environment: Option<String>) -> Result<Option<Arc<Path>>, Mistake> {
    let named_by = |origin: Origin, path: PathBuf| match path.exists() {
        true => Ok(Some(Arc::from(path))),
        false => Err(Mistake::new(
            origin,
            format!("the configuration file {} does not exist", path.display()),
            "create it, or name another one",
        )),
    };
    if let Some(path) = search.named {
        return named_by(Origin::Argument("dotenv"), path);
    }
    if let Some(path) = environment {
        return named_by(Origin::Environment, PathBuf::from(path));
    }
    let candidates = FOLDERS.iter().map(|folder| Path::new(folder).join(search.file_name));
    let mut candidates = candidates.chain(search.last.map(Path::to_path_buf));
    Ok(candidates.find(|path| path.exists()).map(Arc::from))
}
