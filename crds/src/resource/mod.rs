//! The `CloudOptimisedDataset` custom resource.
