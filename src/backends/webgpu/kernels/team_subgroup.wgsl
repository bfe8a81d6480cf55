// Reductions by subgroups of any size: SG_MIN <= size <= SG_MAX, both powers of two from 4 to 64; where they are equal
// the compiler sees a constant. A team is a subgroup. Includes the entry point, because only here builtins of subgroups
// exist.
var<private> lanes: u32;                               // threads of a team
var<private> lane: u32;                                // this thread's place in it
var<workgroup> team_sums: array<f32, WG / SG_MIN>;
fn team_sum(v: f32, t: u32) -> f32 { return subgroupAdd(v); }
// Of the teams first .. first + count - 1.
fn sum_of_teams(first: u32, count: u32) -> f32 {
  var s = team_sums[first];
  for (var i = 1u; i < WG / SG_MIN; i++) { if (i >= count) { break; } s += team_sums[first + i]; }
  return s;
}
fn max_of_teams(first: u32, count: u32) -> f32 {
  var s = team_sums[first];
  for (var i = 1u; i < WG / SG_MIN; i++) { if (i >= count) { break; } s = max(s, team_sums[first + i]); }
  return s;
}
// Sum and maximum over each aligned set of n threads, n a power of two. Uniform control flow only.
fn sum_of(n: u32, v: f32, t: u32) -> f32 {
  var s = v;
$for i 6
  if ((1u << $i$u) < min(n, lanes)) { s += subgroupShuffleXor(s, 1u << $i$u); }
$end
  if (n > SG_MIN) {
    workgroupBarrier();
    if (lane == 0u) { team_sums[t / lanes] = s; }
    workgroupBarrier();
    if (n > lanes) { s = sum_of_teams(t / n * (n / lanes), n / lanes); }
  }
  return s;
}
fn max_of(n: u32, v: f32, t: u32) -> f32 {
  var s = v;
$for i 6
  if ((1u << $i$u) < min(n, lanes)) { s = max(s, subgroupShuffleXor(s, 1u << $i$u)); }
$end
  if (n > SG_MIN) {
    workgroupBarrier();
    if (lane == 0u) { team_sums[t / lanes] = s; }
    workgroupBarrier();
    if (n > lanes) { s = max_of_teams(t / n * (n / lanes), n / lanes); }
  }
  return s;
}
// The int8 of four neighbouring threads as a word, which all of them get; then the words of four threads. Uniform
// control flow only.
fn four_bytes(q: i32, t: u32) -> u32 {
  var w = (u32(q) & 0xffu) << (8u * (t % 4u));
  w |= subgroupShuffleXor(w, 1u);
  return w | subgroupShuffleXor(w, 2u);
}
fn four_words(w: u32, t: u32) -> vec4<u32> {
  let first = lane & 60u;
  return vec4<u32>(subgroupShuffle(w, first), subgroupShuffle(w, first + 1u), subgroupShuffle(w, first + 2u),
                   subgroupShuffle(w, first + 3u));
}
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) t: u32,
        @builtin(subgroup_invocation_id) id: u32, @builtin(subgroup_size) size: u32) {
  lane = id; lanes = select(size, SG_MIN, SG_MIN == SG_MAX);
  kernel(wid, t);
}
