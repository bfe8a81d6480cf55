// Sums and maxima over the THREADS invocations of a workgroup, through workgroup memory; THREADS is a power of two.
// Every invocation calls them, in uniform control flow, and gets the result.
var<workgroup> reduce_cells: array<f32, THREADS>;

fn reduce_sum(value: f32, thread: u32) -> f32 {
  reduce_cells[thread] = value;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half >>= 1u) {
    if (thread < half) { reduce_cells[thread] += reduce_cells[thread + half]; }
    workgroupBarrier();
  }
  let result = reduce_cells[0];
  workgroupBarrier();
  return result;
}

fn reduce_max(value: f32, thread: u32) -> f32 {
  reduce_cells[thread] = value;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half >>= 1u) {
    if (thread < half) { reduce_cells[thread] = max(reduce_cells[thread], reduce_cells[thread + half]); }
    workgroupBarrier();
  }
  let result = reduce_cells[0];
  workgroupBarrier();
  return result;
}
