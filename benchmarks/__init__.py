"""Measurements of agnograd against its peers; run by hand, `python -m benchmarks`, and by CI's guard.

Not part of the wheel, and no test: tests show that the workloads are right, and time nothing.

=================  =====================================================================================================
module             what it does
=================  =====================================================================================================
`workloads`        what is measured, each with its gradient by hand; `models` and `transforms` have more of it
`engines`          how each library records a workload and takes it back
`worker`           starts a process of one engine, which times on request (`session`)
`compare`          drives the workers: checks gradients, interleaves rounds, forms ratios
`startup`          what an import costs
`ledger`           what each feature of agnograd costs an operation
`guard`            a short check against regressions, by ratio to a calibration workload
`bars`, `report`   what is promised, and how it is shown
=================  =====================================================================================================
"""
