//! What codes have in common of which any k of n shares suffice: they are told by how they mix, and solved.

use super::{
    Arrived, Chebyshev, Code, Decoder, Encoder, Gaussian, Mds, NotYet, Rotation, Vandermonde, solve,
};

macro_rules! any_k_suffice {
    ($($name:ident),*) => {$(
        impl Code for $name {
            fn name(&self) -> String {
                format!("{}({}, {})", stringify!($name), self.shares(), self.sources())
            }

            fn encoder(&self) -> &Encoder {
                &self.encoder
            }

            fn tolerates(&self) -> usize {
                self.shares() - self.sources()
            }

            fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
                solve(self, arrived)
            }
        }
    )*};
}

any_k_suffice!(Chebyshev, Gaussian, Mds, Rotation, Vandermonde);
