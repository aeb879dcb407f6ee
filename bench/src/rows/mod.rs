//! The rows of the design's table of figures, a file each.

pub(crate) mod append;
pub(crate) mod bids;
pub(crate) mod decide;
pub(crate) mod feed;
pub(crate) mod fold;
pub(crate) mod memory;
pub(crate) mod scale;
