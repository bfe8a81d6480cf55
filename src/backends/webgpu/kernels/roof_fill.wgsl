// data = something that is nowhere the same, so that no memory is compressed when it is read.
@group(0) @binding(0) var<storage, read_write> data: array<vec4<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
  for (var i = id.x; i < VECTORS; i += n.x * 256u) { data[i] = vec4<u32>(i, i + 1u, i + 2u, i + 3u) * 2654435761u; }
}
