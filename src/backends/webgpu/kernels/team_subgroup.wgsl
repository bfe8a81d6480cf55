// Reductions by subgroups of any size: SG_MIN <= size <= SG_MAX, both powers of two; where they are equal the compiler
// sees a constant. A team is a subgroup. Includes the entry point, because only here builtins of subgroups exist.
var<private> lanes: u32;                               // threads of a team
var<private> lane: u32;                                // this thread's place in it
var<workgroup> team_sums: array<f32, WG / SG_MIN>;
fn team_sum(v: f32, t: u32) -> f32 { return subgroupAdd(v); }
// Sum and maximum over each aligned set of n threads, n a power of two. Uniform control flow only.
fn sum_of(n: u32, v: f32, t: u32) -> f32 {
  var s = v;
  for (var d = 1u; d < min(n, lanes); d *= 2u) { s += subgroupShuffleXor(s, d); }
  if (n > SG_MIN) {
    workgroupBarrier();
    if (lane == 0u) { team_sums[t / lanes] = s; }
    workgroupBarrier();
    if (n > lanes) {
      let first = t / n * (n / lanes); s = team_sums[first];
      for (var i = 1u; i < n / lanes; i++) { s += team_sums[first + i]; }
    }
  }
  return s;
}
fn max_of(n: u32, v: f32, t: u32) -> f32 {
  var s = v;
  for (var d = 1u; d < min(n, lanes); d *= 2u) { s = max(s, subgroupShuffleXor(s, d)); }
  if (n > SG_MIN) {
    workgroupBarrier();
    if (lane == 0u) { team_sums[t / lanes] = s; }
    workgroupBarrier();
    if (n > lanes) {
      let first = t / n * (n / lanes); s = team_sums[first];
      for (var i = 1u; i < n / lanes; i++) { s = max(s, team_sums[first + i]); }
    }
  }
  return s;
}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32,
        @builtin(subgroup_invocation_id) id: u32, @builtin(subgroup_size) size: u32) {
  lane = id; lanes = select(size, SG_MIN, SG_MIN == SG_MAX);
  kernel(wid, t);
}
