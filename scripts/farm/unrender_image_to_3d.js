// SPDX-FileCopyrightText: 2026 Unrender contributors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// A job type for Flamenco 3: photos to scenes, in parts that any number of workers share, then one report of them all.
// Put this file into the folder `scripts` beside Flamenco Manager and start the Manager again. See docs/batch.md.

const JOB_TYPE = {
    label: "Unrender: Image to 3D",
    description: "Photos to Blender scenes, shared by the workers; the extension Unrender has to be enabled on each",
    settings: [
        { key: "photos", type: "string", required: true,
          description: "A folder or file of photos, or a pattern such as /shared/photos/*.jpg, as all workers see it" },
        { key: "out", type: "string", subtype: "dir_path", required: true,
          description: "Folder for the results, as all workers see it" },
        { key: "parts", type: "int32", default: 8,
          description: "How many tasks share the photos: a few times as many as there are workers" },
        { key: "quality", type: "string", default: "standard", choices: ["draft", "standard", "fine"],
          description: "How much work an object is worth" },
        { key: "formats", type: "string", default: "blend,glb", description: "Of blend,glb,obj,usd,fbx, with commas" },
        { key: "bundle", type: "string", default: "car", description: "Name of the weights" },
        { key: "device", type: "string", default: "auto", choices: ["auto", "cpu", "cuda", "mps"],
          description: "Where the networks run" },
        { key: "texture_size", type: "int32", default: 0, visible: "submission",
          description: "Side of the textures in texels; 0: follows the photo" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const parts = Math.max(1, settings.parts);
    const tasks = [];
    for (let part = 1; part <= parts; part++) {
        const task = author.Task(`photos-${part}-of-${parts}`, "blender");
        task.addCommand(author.Command("exec", {
            exe: "{blender}",
            args: partArguments(settings, part, parts),
        }));
        job.addTask(task);
        tasks.push(task);
    }
    const join = author.Task("join-reports", "blender");
    join.addCommand(author.Command("exec", {
        exe: "{blender}",
        args: ["--command", "unrender", "join", settings.out, "--lenient"],
    }));
    for (const task of tasks) {
        join.addDependency(task);
    }
    job.addTask(join);
}

// A task that is given to another worker goes on where the first one stopped (--resume), and a photo that cannot be
// used is told in the report rather than by a failed task, which would be tried again in vain (--lenient).
function partArguments(settings, part, parts) {
    const words = [
        "--command", "unrender", "image-to-3d", settings.photos,
        "--out", settings.out,
        "--shard", `${part}/${parts}`,
        "--resume",
        "--lenient",
        "--quality", settings.quality,
        "--formats", settings.formats,
        "--bundle", settings.bundle,
        "--device", settings.device,
    ];
    if (settings.texture_size > 0) {
        words.push("--texture-size", `${settings.texture_size}`);
    }
    return words;
}
