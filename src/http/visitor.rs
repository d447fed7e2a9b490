//! Who opened a page, as far as those are told who do what its button says.

use poem::Request;

use super::client_address::ClientAddress;
use super::correlation::CorrelationId;

#[derive(Clone, Debug)]
pub struct Visitor {
    pub address: ClientAddress,
    pub correlation_id: CorrelationId,
}

impl Visitor {
    /// The shell has put both into every request. Without it, limits count all visitors as one, which is strict.
    pub fn of(request: &Request) -> Self {
        let extensions = request.extensions();
        Self {
            address: extensions
                .get()
                .copied()
                .unwrap_or(ClientAddress(std::net::Ipv4Addr::UNSPECIFIED.into())),
            correlation_id: extensions
                .get()
                .cloned()
                .unwrap_or_else(CorrelationId::made),
        }
    }
}
