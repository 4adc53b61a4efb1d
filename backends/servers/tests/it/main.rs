//! The servers live, die and come back as tests ask; the proxy cuts where it is told.

mod life;
mod proxy;
